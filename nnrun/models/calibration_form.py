"""The numbers that each kind of calibration has, for lists of runs that do without NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

UNFIT = ("too_few", "one_class")
"""Why nothing was fitted, in place of a method."""


def is_calibration(method: str, numbers: Sequence[float]) -> bool:
    """Whether a method can have these numbers; an isotonic one has x, then y, both rising."""
    many = len(numbers)
    if method == "isotonic" and many and not many % 2:
        x, y = numbers[: many // 2], numbers[many // 2 :]
        rises = all(a < b for a, b in pairwise(x)) and all(a <= b for a, b in pairwise(y))
        return rises and min(numbers) >= 0 and max(numbers) <= 1
    needed = {"temperature": 1, "platt": 2, **dict.fromkeys(("none", *UNFIT), 0)}
    return many == needed.get(method) and (not many or numbers[0] > 0)
