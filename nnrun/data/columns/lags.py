"""Values of earlier rows in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.nn.signature import Array


class EqualTimes(ValueError):  # noqa: N818  # named as the other errors are
    """Two rows of one time, so that neither is earlier; `rows` are their indices."""

    def __init__(self, first: int, second: int) -> None:
        self.rows = first, second
        super().__init__(f"rows {first} and {second} have the same time")


def lagged(
    values: Array,
    times: npt.NDArray[Any],
    steps: Sequence[int],
    groups: npt.NDArray[Any] | None = None,
) -> Array:
    """For each row the values of the rows that are so many steps earlier; NaN if there are none.

    Args:
        values: (rows,), in any order; NaN where one is not known.
        times: of each row; all of one group differ.
        steps: how many rows earlier, 1 or more, in the order of time.
        groups: of each row, a number; rows of other groups are not counted.

    Returns: (rows, steps).
    Raises: EqualTimes.
    """
    if groups is None:
        groups = np.zeros(len(values), np.intp)
    order = np.lexsort((times, groups))
    times, groups = times[order], groups[order]
    equal = (times[1:] == times[:-1]) & (groups[1:] == groups[:-1])
    if equal.any():
        place = int(equal.argmax())
        raise EqualTimes(*sorted(order[place : place + 2].tolist()))
    found = np.full((len(values), len(steps)), np.nan)
    for column, step in enumerate(steps):
        same = groups[step:] == groups[:-step]
        found[order[step:][same], column] = values[order[:-step][same]]
    return found
