"""The bits of numbers: what each compiler has its own way for.

The kernels' compiler calls these with itself as `t`; Numba's puts others in their place.
"""

from __future__ import annotations

from typing import Any


def bits(t: Any, number: Any = None) -> Any:
    """The bits of a number, as an integer of its size."""
    return t.bits(number)


def from_bits(t: Any, integer: Any = None) -> Any:
    """The number that has these bits."""
    return t.from_bits(integer)


_FUNCTIONS: list[Any] = [bits, from_bits]
for _function in _FUNCTIONS:
    _function.translates = True
