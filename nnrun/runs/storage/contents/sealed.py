"""JSON files of the results folder that end in a digest of themselves."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nnrun.errors import DamageError
from nnrun.runs.storage.contents.strict_json import is_sealed, sealed, strict_json
from nnrun.runs.storage.durable.files import read_regular

_KEY = "file_sha256"


def sealed_json(content: dict[str, Any]) -> bytes:
    """The bytes of a file with this content."""
    return sealed(strict_json(content).encode(), _KEY)


def read_sealed(file: Path, most: int | None = None) -> dict[str, Any]:
    """The content of a file of at most `most` bytes.

    Raises: FileNotFoundError if there is none; DamageError, with the reason alone, if it is not as
    it was written.
    """
    try:
        return parse_sealed(read_regular(file, most))
    except FileNotFoundError:
        if not os.path.lexists(file):
            raise
        raise DamageError("it is a link that leads nowhere") from None
    except OSError as error:
        raise DamageError(f"it cannot be read: {error.strerror or error}") from None


def parse_sealed(written: bytes) -> dict[str, Any]:
    """The content of the bytes of `sealed_json`; raises as `read_sealed` does."""
    try:
        if is_sealed(written, _KEY):
            content = dict(json.loads(written))
            del content[_KEY]
            return content
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise DamageError("it is not the file that was written")
