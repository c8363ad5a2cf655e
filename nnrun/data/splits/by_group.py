"""Whole groups of rows: no group is in two splits."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.splits.folds import check_classes, check_folds, take, take_all
from nnrun.data.splits.parts import Rows
from nnrun.data.splits.sizes import asked, check_enough, nearest, problem

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
        """The training and the test rows of one fold, by GroupKFold or StratifiedGroupKFold."""
        from sklearn.model_selection import GroupKFold  # noqa: PLC0415  # slow

        groups = self.groups[rows]
        check_folds(folds, len(np.unique(groups)), "groups")
        if self.labels is not None:
            check_classes(folds, self.labels[rows])
            return take(self._stratifier(folds), fold, rows, self.labels[rows], groups)
        seed = int(self.rng.integers(2**32))
        splitter = GroupKFold(folds, shuffle=True, random_state=seed)
        return take(splitter, fold, rows, groups=groups)

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
            message = f"the largest class has {most} rows, too few to stratify groups"
            raise problem("stratify", message)
        share = Fraction(count, len(rows)).limit_denominator(finest)
        parts = max(leave + 1, share.denominator if 0 < share < 1 else finest)
        taken = min(max(1, round(parts * count / len(rows))), parts - leave)
        splitter = self._stratifier(parts)
        # A large group is in the first part whatever the seed, so parts are drawn too.
        drawn = self.rng.permutation(parts)[:taken]
        tests = [test for _, test in take_all(splitter, rows, labels, self.groups[rows])]
        held_out = np.isin(rows, np.concatenate([tests[part] for part in drawn]))
        return rows[~held_out], rows[held_out]

    def _stratifier(self, parts: int) -> Any:
        from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415  # slow

        seed = int(self.rng.integers(2**32))
        return StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
