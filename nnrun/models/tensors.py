"""Arrays and plain values in one safetensors file; reading it executes nothing."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nnrun.data.memory import refuse_if_too_big
from nnrun.errors import NnrunError
from nnrun.nn.signature import Array

# All values are under one key: the order of several keys would not be fixed, nor would the bytes.
_KEY = "nnrun"
_DAMAGE = (SafetensorError, struct.error)


def pack(arrays: Mapping[str, Array], values: Any) -> bytes:
    """The bytes of a file with these arrays and JSON-able values."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(contiguous, {_KEY: json.dumps(values)})


def unpack(path: Path, content: bytes | None = None) -> tuple[dict[str, Array], Any]:
    """Arrays and values of a file.

    Raises:
        NnrunError: it is not such a file, is damaged, or does not fit into memory.
        OSError: it cannot be read.
    """
    if content is None:
        refuse_if_too_big(2 * path.stat().st_size, str(path))
        content = path.read_bytes()
    try:
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        return load(content), json.loads(header["__metadata__"][_KEY])
    except (*_DAMAGE, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NnrunError(f"{path}: damaged or no file of nnrun's ({error})") from error
