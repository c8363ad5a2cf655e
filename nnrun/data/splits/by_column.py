"""Splits by a column: whole groups of rows, or training before validation before test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.splits.parts import (
    Rows,
    asked,
    check_classes,
    check_enough,
    check_folds,
    nearest,
    problem,
    take_all,
)

# Groups are stratified by parts of at least this share of the rows.
_PARTS = 20


@dataclass(frozen=True)
class ByGroup:
    """Splits of groups, whose numbers of rows come near to what is asked for.

    Args:
        groups: a number for the group of each row of the data set.
        labels: the class of each row, if classes are stratified as far as groups allow.
        rng: the stream of the split.
    """

    groups: npt.NDArray[np.int64]
    labels: npt.NDArray[Any] | None
    rng: np.random.Generator

    def fold(self, rows: Rows, folds: int, fold: int, leave: int = 1) -> tuple[Rows, Rows]:
        """The training and the test rows of one fold."""
        check_folds(folds, len(np.unique(self.groups[rows])), "groups")
        if self.labels is not None:
            check_classes(folds, self.labels[rows])
        test = self._dealt(rows, folds, leave) == fold - 1
        return rows[~test], rows[test]

    def _dealt(self, rows: Rows, folds: int, leave: int) -> npt.NDArray[np.intp]:
        """The fold of each row, from 0 on: groups in a drawn order, each to the emptiest fold.

        A fold is full as far as it has the rows, and with labels those of the classes, that the
        group has. StratifiedGroupKFold goes by size alone, which gives most seeds the same folds.
        """
        _, numbers = np.unique(self.groups[rows], return_inverse=True)
        # Of rows in a drawn order, the first of each group: larger groups tend to come early, so
        # that small ones even out the folds.
        _, first = np.unique(numbers[self.rng.permutation(len(rows))], return_index=True)
        shares = self._shares(rows, numbers)
        full, dealt = np.zeros((shares.shape[1], folds)), np.empty(len(first), dtype=np.intp)
        number = np.zeros(folds, dtype=np.intp)
        for group in np.argsort(first):
            # Not `@`, whose last bits depend on the BLAS.
            fullness = sum(f * s for f, s in zip(full, shares[group], strict=True))
            fold = np.argmin(np.where(number < len(first) - leave, fullness, np.inf))
            dealt[group] = fold
            full[:, fold] += shares[group]
            number[fold] += 1
        return dealt[numbers]

    def _shares(self, rows: Rows, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """For each group its share of the rows, and with labels of the rows of each class."""
        labels = [np.zeros(len(rows), dtype=np.intp)]
        if self.labels is not None:
            labels.append(np.unique(self.labels[rows], return_inverse=True)[1])
        counts = [np.zeros((numbers.max() + 1, each.max() + 1)) for each in labels]
        for count, each in zip(counts, labels, strict=True):
            np.add.at(count, (numbers, each), 1)
        return np.hstack([count / count.sum(axis=0) for count in counts])

    def held_out(
        self, rows: Rows, size: float | int | str, key: str, leave: int = 1
    ) -> tuple[Rows, Rows]:
        """The remaining rows and those of the groups held out."""
        count = asked(size, len(rows))
        if count == 0:
            return rows, rows[:0]
        names, numbers = np.unique(self.groups[rows], return_inverse=True)
        check_enough(len(names), leave, "groups", key)
        if self.labels is not None:
            return self._stratified(rows, count, len(names), leave)
        order = self.rng.permutation(len(names))
        sums = np.cumsum(np.bincount(numbers)[order])[:-leave]
        held_out = np.isin(numbers, order[: nearest(sums, count) + 1])
        return rows[~held_out], rows[held_out]

    def _stratified(self, rows: Rows, count: int, groups: int, leave: int) -> tuple[Rows, Rows]:
        """Some of many equal parts, so that their share of the rows is the one asked for."""
        labels = self.labels[rows] if self.labels is not None else rows
        most = int(np.unique(labels, return_counts=True)[1].max())
        finest = min(groups, most, _PARTS)
        if finest <= leave:
            rows_of_it = f"{most} row{'s' * (most != 1)}"
            message = f"the largest class has {rows_of_it}, too few to stratify groups"
            raise problem("stratify", message)
        share = Fraction(count, len(rows)).limit_denominator(finest)
        parts = max(leave + 1, share.denominator if 0 < share < 1 else finest)
        taken = min(max(1, round(parts * count / len(rows))), parts - leave)
        splitter = self._stratifier(parts)
        # A large group is in the first part regardless of the seed, so parts are drawn too.
        drawn = self.rng.permutation(parts)[:taken]
        tests = [test for _, test in take_all(splitter, rows, labels, self.groups[rows])]
        held_out = np.isin(rows, np.concatenate([tests[part] for part in drawn]))
        return rows[~held_out], rows[held_out]

    def _stratifier(self, parts: int) -> Any:
        from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415  # slow

        seed = int(self.rng.integers(2**32))
        return StratifiedGroupKFold(parts, shuffle=True, random_state=seed)


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
