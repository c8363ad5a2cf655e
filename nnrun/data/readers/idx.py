"""IDX, the format of MNIST's files: a magic number, the dimensions, then bytes.

Source of the format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from nnrun.data.memory import refuse_if_too_big
from nnrun.data.readers.opening import open_data
from nnrun.errors import DataError

TYPES = {
    0x08: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}
GZIP = b"\x1f\x8b"


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """The unsigned bytes of an IDX file with this many dimensions, gzipped or not.

    Compression is detected from the content, not from the name.

    Raises: DataError if the magic number, a dimension or the length is wrong.
    """
    with open_data(path) as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        try:
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
            shape = _read_shape(path, stream, dimensions)
            size = math.prod(shape)
            refuse_if_too_big(size, f"{path}, of shape {shape},")
            content = stream.read(size + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: is a damaged gzip file: {error}") from error
    if len(content) != size:
        state = "more" if len(content) > size else f"only {len(content)}"
        raise DataError(f"{path}: says it has shape {shape}, {size} bytes, and has {state}")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _read_shape(path: Path, stream: BinaryIO, dimensions: int) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES:
        raise DataError(f"{path}: is no IDX file: it starts with 0x{magic.hex()}")
    if magic[2] != 0x08:
        raise DataError(f"{path}: holds {TYPES[magic[2]]}; needed are unsigned bytes")
    if magic[3] != dimensions:
        raise DataError(f"{path}: has {magic[3]} dimensions; needed are {dimensions}")
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise DataError(f"{path}: ends within its header")
    shape = struct.unpack(f">{dimensions}I", header)
    if 0 in shape:
        raise DataError(f"{path}: is empty: its shape is {shape}")
    return shape
