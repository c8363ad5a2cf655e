"""JSON for people and for any other program."""

from __future__ import annotations

from json import JSONEncoder
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

from nnrun.characters import hidden_escaped

_ENCODER = JSONEncoder(indent=2, allow_nan=False, ensure_ascii=False)
_WORDS = {None: "null", True: "true", False: "false"}


def strict_json(value: Any) -> str:
    """Indented JSON without NaN or Infinity, which no other program could read.

    What would steer a terminal is escaped, as JSON itself asks for below U+0020.
    """
    return hidden_escaped(_indented(value, "\n")) + "\n"


def _indented(value: Any, margin: str) -> str:
    """What Python's encoder writes, which takes four times as long where it indents.

    Args:
        value: of JSON.
        margin: the end of a line, and the spaces that the next one begins with.
    """
    kind, deeper = type(value), margin + "  "
    if kind is str:
        return encode_basestring(value)
    if value is None or kind is bool:
        return _WORDS[value]
    if kind is int or (kind is float and isfinite(value)):
        return repr(value)
    if kind is list and value:
        numbers = set(map(type, value)) <= {int, float} and all(map(isfinite, value))
        items = map(repr, value) if numbers else [_indented(item, deeper) for item in value]
        return f"[{deeper}{f',{deeper}'.join(items)}{margin}]"
    if kind is dict and set(map(type, value)) == {str}:
        lines = [f"{encode_basestring(k)}: {_indented(v, deeper)}" for k, v in value.items()]
        return f"{{{deeper}{f',{deeper}'.join(lines)}{margin}}}"
    return _ENCODER.encode(value).replace("\n", margin)
