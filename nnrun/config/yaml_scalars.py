"""The scalars of YAML 1.2's core schema, read and written.

PyYAML reads YAML 1.1, where `no` is false, `010` is eight and `1e-3` is text; none of that here.
Source: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from math import isnan
from typing import Any

from nnrun.characters import BIDI

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

# Text that needs no quotes anywhere in YAML, in brackets or not.
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]([A-Za-z0-9_./+ ()%-]*[A-Za-z0-9_./+()%-])?")
_UNPRINTABLE = re.compile(f"[\x7f-\x9f{BIDI}\u2028\u2029\ufeff\ufffe\uffff]")

MAX_DIGITS = 3500  # Python writes and reads at most 4300, which are 3570 of base sixteen.


def read_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar.

    Raises:
        ValueError: it is a number with too many digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MAX_DIGITS and (_FLOAT.fullmatch(text) or _BASED.fullmatch(text)):
        raise ValueError(f"a number of {len(text)} characters is too long")
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def write_scalar(value: Scalar) -> str:
    """The text that `read_scalar` or a quoted scalar turns back into exactly this value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _write_float(value)
    return _write_text(value)


@lru_cache(maxsize=512)  # the runs of a sweep say the same words
def _write_text(text: str) -> str:
    return text if _may_stand_plain(text) else _quoted(text)


def _write_float(value: float) -> str:
    if isnan(value):
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    # 1.0e-08, not 1e-08: readers of YAML 1.1 take a number without a point for text.
    return text if "." in text else text.replace("e", ".0e")


def _may_stand_plain(text: str) -> bool:
    if not _PLAIN.fullmatch(text) or text.startswith(("-", "...")):
        return False
    # Numbers and words of YAML 1.1 are quoted too, for other programs.
    if text.lower() in {"yes", "no", "on", "off", "y", "n", "true", "false", "null"}:
        return False
    return not text[0].isdigit() and not re.match(r"[.+]", text)


def _quoted(text: str) -> str:
    """The text in double quotes, with the escapes that YAML shares with JSON."""
    return _UNPRINTABLE.sub(lambda c: f"\\u{ord(c[0]):04x}", json.dumps(text, ensure_ascii=False))


# Plain data as readable YAML 1.2 that loads to exactly the same data.

WIDTH = 100


def dump(data: dict[str, Any]) -> str:
    """A YAML document in block style, with short values on one line."""
    return "".join(f"{line}\n" for line in _mapping(data, depth=0))


def flow(value: Any) -> str:
    """A value on one line, valid anywhere in YAML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{write_scalar(k)}: {flow(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(flow(item) for item in value)}]"
    return write_scalar(value)


def _mapping(data: dict[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value in data.items():
        head = f"{indent}{write_scalar(key)}:"
        if _stays_on_line(value, len(head), depth):
            yield f"{head} {flow(value)}"
        else:
            yield head
            yield from _block(value, depth + 1)


def _block(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _mapping(value, depth)
        return
    for item in value:
        # The first line of an item starts behind its dash.
        lines = [flow(item)]
        if len(lines[0]) + 2 * depth + 2 > WIDTH and isinstance(item, dict | list) and item:
            lines = [line[2 * depth + 2 :] for line in _block(item, depth + 1)]
        yield f"{'  ' * depth}- {lines[0]}"
        yield from (f"{'  ' * depth}  {line}" for line in lines[1:])


def _stays_on_line(value: Any, column: int, depth: int) -> bool:
    if not isinstance(value, dict | list | tuple) or not value:
        return True
    holds_mappings = isinstance(value, list | tuple) and any(isinstance(v, dict) for v in value)
    if holds_mappings or (depth == 0 and len(value) > 2):
        return False
    return column + 1 + len(flow(value)) <= WIDTH
