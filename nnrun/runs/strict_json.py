"""JSON for people and for any other program."""

from __future__ import annotations

import json
from typing import Any

from nnrun.characters import hidden_escaped


def strict_json(value: Any) -> str:
    """Indented JSON without NaN or Infinity, which no other program could read.

    What would steer a terminal is escaped, as JSON itself asks for below U+0020.
    """
    return hidden_escaped(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)) + "\n"
