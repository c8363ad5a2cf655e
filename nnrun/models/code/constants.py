"""Constants of scripts."""

from __future__ import annotations

from pprint import pformat
from typing import Any

_WIDTH = 96


def constant(name: str, value: Any) -> str:
    """A line that defines a constant, or several lines."""
    text = pformat(value, width=_WIDTH - len(name) - 3, compact=True, sort_dicts=False)
    return f"{name} = " + text.replace("\n", "\n" + " " * (len(name) + 3))
