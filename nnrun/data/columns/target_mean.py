"""A column of categories as means of the target: one feature, or one for each of many classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from nnrun.data.columns.categorical import Categorical
from nnrun.data.columns.column import Fitted, TrainingRows
from nnrun.nn.signature import Array

FOLDS = 5


@dataclass(frozen=True)
class TargetMean(Categorical):
    """The mean of the target over the training rows of a category, drawn towards that of all rows.

    A training row has the mean without the fold that it is in. As in scikit-learn's TargetEncoder:
    Micci-Barreca, SIGKDD Explorations 3 (2001). Before the split, it is the category's number.
    """

    kind: ClassVar[str] = "target_mean"

    classes: tuple[str, ...] = ()
    """Of the target, if it has more than two: a feature for the share of each."""
    means: tuple[tuple[float, ...], ...] = ()
    """Of each category, and after the last one of all others."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        if self.classes and self.means:
            return tuple(f"{self.name}: share of {label}" for label in self.classes)
        return (f"{self.name}: mean of the target",)

    def encoded(self, codes: Array) -> Array:
        return np.array(self.means)[codes] if self.means else super().encoded(codes)

    def fitted(self, codes: Array, training: TrainingRows) -> Fitted:
        column, numbers, lost = self._regrouped(codes)
        known, out_of_fold = target_means(numbers[codes], len(column.known) + 1, training)
        if training.classes and len(training.classes) > 2:
            column = replace(column, classes=training.classes)
        column = replace(column, means=tuple(map(tuple, known.tolist())))
        convert = partial(self._converted, column, numbers)
        return Fitted(column, convert, partial(self._unseen, lost), training=out_of_fold)

    def example(self) -> Array:
        return np.array(self.means[-1])

    def state(self) -> dict[str, Any]:
        classes = {"classes": list(self.classes)} if self.classes else {}
        return {**super().state(), **classes, "means": [list(row) for row in self.means]}

    @classmethod
    def restored(cls, name: str, **state: Any) -> Self:
        means = np.array(state["means"], np.float64)
        column = super().restored(
            name,
            **{
                **state,
                "means": tuple(map(tuple, means.tolist())),
                "classes": tuple(state.get("classes", ())),
            },
        )
        if means.shape != (len(column.known) + 1, len(column.feature_names)):
            raise ValueError("its means do not fit the categories")
        if not np.isfinite(means).all():
            raise ValueError("a mean is no finite number")
        return column


def target_means(codes: Array, entries: int, training: TrainingRows) -> tuple[Array, Array]:
    """The means of all categories, and those of each training row without its fold.

    Args:
        codes: the number of each row's category.
        entries: how many numbers there may be.
        training: the targets of these rows.

    Returns: (entries, features) and (rows, features).
    """
    from sklearn.model_selection import KFold, StratifiedKFold  # noqa: PLC0415  # slow to import

    x, y = codes[:, None], training.y.reshape(len(codes), -1)[:, 0]
    several = len(training.classes) > 2
    targets = y[:, None] == np.arange(len(training.classes)) if several else y[:, None]
    known = _encoded(x, targets, np.arange(entries)[:, None])
    out_of_fold = np.tile(known[-1], (len(codes), 1))
    folds = min(FOLDS, len(codes))
    fewest = np.unique(y, return_counts=True)[1].min() if training.classes else 0
    splitter = StratifiedKFold if fewest >= folds else KFold
    if folds > 1:
        parts = splitter(folds, shuffle=True, random_state=training.draw())
        for rest, fold in parts.split(x, y):
            out_of_fold[fold] = _encoded(x[rest], targets[rest], x[fold])
    return known, out_of_fold


def _encoded(x: Array, targets: Array, wanted: Array) -> Array:
    """The smoothed means of some targets, for these categories: one column for each target."""
    from sklearn.preprocessing import TargetEncoder  # noqa: PLC0415  # slow to import

    # Of a class, the target is whether a row has it: its mean is the share.
    found = [
        TargetEncoder(target_type="continuous").fit(x, target.astype(float)).transform(wanted)
        for target in targets.T
    ]
    return np.hstack(found)
