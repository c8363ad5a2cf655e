"""JSON for people and for any other program; and the digest of a report in its own last line.

The digest is over every byte before that line. So a report that another program has only
reformatted counts as changed, too.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from json import JSONEncoder
from pathlib import Path
from typing import Any

from nnrun.characters import hidden_escaped
from nnrun.errors import DamageError
from nnrun.runs.storage.durable import read_regular

# Python's encoder is written in C for what it need not indent: a report takes half the time.
# It does not look for circles, which what is written here cannot have.
_encode = JSONEncoder(allow_nan=False, ensure_ascii=False, check_circular=False).encode
_key = lru_cache(maxsize=512)(_encode)  # reports have most of them in common


def strict_json(value: Any, levels: int = 2) -> str:
    """JSON without NaN or Infinity, which no other program could read.

    What would steer a terminal is escaped, as JSON itself asks for below U+0020. This many `levels`
    of objects, and lists of objects, have a line for each item; what is deeper stays on its line.
    """
    return hidden_escaped(_laid_out(value, "\n", levels)) + "\n"


def _laid_out(value: Any, margin: str, levels: int) -> str:
    """A value that begins in a line behind this margin, over lines for this many levels."""
    if not levels or not value or not isinstance(value, (dict, list)):
        return _encode(value)
    deeper = f"{margin}  "
    if isinstance(value, dict):
        if {*map(type, value)} != {str}:
            return _encode(value)
        lines = [
            f"{_key(key)}: {_laid_out(item, deeper, levels - 1)}" for key, item in value.items()
        ]
        return f"{{{deeper}{f',{deeper}'.join(lines)}{margin}}}"
    if not isinstance(value[0], dict):
        return _encode(value)
    lines = [_laid_out(item, deeper, levels - 1) for item in value]
    return f"[{deeper}{f',{deeper}'.join(lines)}{margin}]"


DIGEST = "report_sha256"
"""The last key of a report."""


def sealed(report: bytes, key: str = DIGEST) -> bytes:
    """A report with its digest as the last entry; `strict_json` gives each entry a line."""
    return _closed(report.removesuffix(b"\n}\n"), key)


def is_sealed(content: bytes, key: str = DIGEST) -> bool:
    """Whether a report, or a file whose digest has this `key`, is as it was written."""
    return content == _closed(content[: -len(_closed(b"", key))], key)


def _closed(body: bytes, key: str) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    return body + f',\n  "{key}": "{digest}"\n}}\n'.encode()


# JSON files of the results folder that end in a digest of themselves.

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
