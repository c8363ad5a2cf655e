"""Rows at random, each class in proportion if they are stratified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.splits.parts import Rows, check_classes, check_folds, count_of, problem, take


@dataclass(frozen=True)
class AtRandom:
    """Splits of single rows.

    Args:
        labels: the class of each row of the data set, if rows are stratified.
        rng: the stream of the split.
        strict: whether classes too rare to be in each part are a mistake; else these are not
            stratified.
    """

    labels: npt.NDArray[Any] | None
    rng: np.random.Generator
    strict: bool = True

    def fold(self, rows: Rows, folds: int, fold: int, leave: int = 1) -> tuple[Rows, Rows]:
        """The training and the test rows of one fold, by KFold or StratifiedKFold."""
        from sklearn.model_selection import KFold, StratifiedKFold  # noqa: PLC0415  # slow

        check_folds(folds, len(rows), "rows")
        seed = int(self.rng.integers(2**32))
        if self.labels is None:
            return take(KFold(folds, shuffle=True, random_state=seed), fold, rows)
        labels = self.labels[rows]
        check_classes(folds, labels)
        return take(StratifiedKFold(folds, shuffle=True, random_state=seed), fold, rows, labels)

    def held_out(
        self, rows: Rows, size: float | int | str, key: str, leave: int = 1
    ) -> tuple[Rows, Rows]:
        """The remaining rows and the held-out rows, in random order."""
        count = count_of(size, len(rows), key)
        if count == 0:
            return rows, rows[:0]
        labels = None if self.labels is None else self.labels[rows]
        if labels is not None and not self.strict:
            labels = _without_rare(labels, min(count, len(rows) - count))
        if labels is None:
            order = self.rng.permutation(len(rows))
            return rows[order[count:]], rows[order[:count]]
        return _stratified(rows, labels, count, key, self.rng)


def _without_rare(labels: npt.NDArray[Any], fewest: int) -> npt.NDArray[Any] | None:
    """Labels with single rows joined to the largest class; None if they cannot be stratified."""
    _, numbers, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    numbers = np.where(sizes[numbers] < 2, sizes.argmax(), numbers)
    left = len(np.unique(numbers))
    return None if left > fewest or sizes.max() < 2 else numbers


def _stratified(
    rows: Rows, labels: npt.NDArray[Any], count: int, key: str, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    from sklearn.model_selection import StratifiedShuffleSplit  # noqa: PLC0415  # slow

    classes, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < 2:
        class_ = f"class '{classes[sizes.argmin()]}'"
        message = f"{class_} has a single row, too few for a training and a test part"
        if key == "validation_size":
            message = f"of {class_} a single row is left for the training and the validation part"
        raise problem("stratify", message)
    rest = len(rows) - count
    if min(count, rest) < len(classes):
        message = f"with stratify, {count} and {rest} rows are too few for {len(classes)} classes"
        raise problem(key, message)
    seed = int(rng.integers(2**32))
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=count, random_state=seed)
    kept, held_out = next(splitter.split(np.zeros(len(rows)), labels))
    return rows[kept], rows[held_out]
