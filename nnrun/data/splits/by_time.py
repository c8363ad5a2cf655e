"""Training before validation before test; rows of one time stay together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.splits.parts import Rows
from nnrun.data.splits.sizes import asked, check_enough, nearest, problem


@dataclass(frozen=True)
class ByTime:
    """Splits at points in time, which come near to the sizes asked for; nothing is drawn.

    Args:
        times: of each row of the data set.
    """

    times: npt.NDArray[Any]

    def fold(self, rows: Rows, folds: int, fold: int, leave: int = 1) -> tuple[Rows, Rows]:
        """The rows of one fold and all before it, as TimeSeriesSplit has them."""
        from sklearn.model_selection import TimeSeriesSplit  # noqa: PLC0415  # slow

        rows, cuts = self._in_order(rows)
        needed = folds + leave
        if len(cuts) + 1 < needed:
            message = f"{folds} folds by time need {needed} different times"
            raise problem("folds", f"{message}; there are {len(cuts) + 1}")
        starts = [int(test[0]) for _, test in TimeSeriesSplit(folds).split(rows)]
        starts = _between_times(starts, cuts[leave - 1 :])
        start, end = [*starts, len(rows)][fold - 1 : fold + 1]
        return rows[:start], rows[start:end]

    def held_out(
        self, rows: Rows, size: float | int | str, key: str, leave: int = 1
    ) -> tuple[Rows, Rows]:
        """The earlier rows and the held-out later ones, in the order of time."""
        count = asked(size, len(rows))
        if count == 0:
            return rows, rows[:0]
        rows, cuts = self._in_order(rows)
        check_enough(len(cuts) + 1, leave, "different times", key)
        start = cuts[leave - 1 :][nearest(cuts[leave - 1 :], len(rows) - count)]
        return rows[:start], rows[start:]

    def _in_order(self, rows: Rows) -> tuple[Rows, Rows]:
        """The rows in the order of time, and where the time changes among them."""
        times = self.times[rows]
        order = np.argsort(times, kind="stable")
        return rows[order], np.flatnonzero(np.diff(times[order])) + 1


def _between_times(starts: Sequence[int], cuts: Rows) -> list[int]:
    """For each start of a fold a place where the time changes, the nearest, and all different."""
    found, first = [], 0
    for left, start in zip(range(len(starts) - 1, -1, -1), starts, strict=True):
        first += nearest(cuts[first : len(cuts) - left], start)
        found.append(int(cuts[first]))
        first += 1
    return found
