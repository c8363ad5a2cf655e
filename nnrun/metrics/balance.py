"""Whether classes are unequal, so that accuracy says little."""

from __future__ import annotations

from collections.abc import Sequence

UNEQUAL = 0.5
"""Classes are unequal if the smallest has less than this part of an equal share of the rows."""


def are_unequal(counts: Sequence[int]) -> bool:
    """Whether classes with so many rows are unequal."""
    return bool(counts) and min(counts) * len(counts) < UNEQUAL * sum(counts)
