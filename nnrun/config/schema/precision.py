"""Settings that become zero or infinity in float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnrun.config.schema.block import ConfigIssue
from nnrun.config.schema.pydantic_errors import show
from nnrun.config.yaml.parse import KeyPath

# Numbers up to the first are rounded to 0, those from the second on to infinity.
_ZERO, _INFINITE = 2.0**-150, 2.0**128 - 2.0**103


def lost_in_float32(value: Any, path: KeyPath) -> Iterator[ConfigIssue]:
    """An issue for each such number of a block, at its path.

    An epsilon of 0 divides by zero; an infinite weight decay destroys all weights.
    """
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from lost_in_float32(part, (*path, key))
    elif isinstance(value, float) and value:
        size, remedy = abs(value), "in float32; take a number that it has, or dtype: float64"
        if size <= _ZERO:
            yield ConfigIssue(f"{show(value)} is 0 {remedy}", path)
        elif size >= _INFINITE:
            yield ConfigIssue(f"{show(value)} is infinite {remedy}", path)
