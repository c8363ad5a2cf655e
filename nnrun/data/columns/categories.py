"""Columns of categories as features: one-hot, learned vectors, means of the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from nnrun.characters import escaped
from nnrun.data.columns.cell_errors import Mistake, Problems, about_spelling, about_unknown
from nnrun.data.columns.cells import MISSING, OTHER, LabelCells
from nnrun.data.columns.column import Column, Fitted, TrainingRows, text_of
from nnrun.data.labels import canonical, number
from nnrun.errors import DataError
from nnrun.nn.signature import Array

NONE = "none of the categories"
"""What a category that training has not seen is, unless rare ones were put together."""
OTHERS = "(other)"
"""The name of all categories that are rare or not known."""


@dataclass(frozen=True)
class Categorical(Column):
    """A column of categories.

    Args:
        known: the categories that have a feature or number of their own, in order; "" is the one
            for missing values.
        by_value: whether all were numbers in the training file, so that 7 and 7.0 are the same.
        rare: those in fewer than `min_count` training rows, which are put together.
        unknown: what becomes of a category that no training row has: `error`; `ignore`, with the
            rare ones if there are any, else none of the categories; or `most_frequent`.
        frequent: the most frequent category of the training rows, if it is needed.
        fills: in training, whether missing values are a category of their own.
        min_count: training rows that a category must have.
    """

    known: tuple[str, ...] = ()
    by_value: bool = False
    rare: tuple[str, ...] = ()
    unknown: str = "error"
    frequent: str | None = None
    fills: bool = False
    min_count: int = 1

    @property
    def categories(self) -> tuple[str, ...]:
        return (*self.known, *self.rare)

    @property
    def labels(self) -> tuple[str, ...]:
        """The known categories as they are shown, and a name for the others if some are rare."""
        return (*(label or "(missing)" for label in self.known), *[OTHERS] * bool(self.rare))

    @property
    def stands_for(self) -> str:
        """What a category that training has not seen is predicted as."""
        if self.frequent is not None:
            return f"the most frequent one, '{self.frequent or '(missing)'}'"
        return "a rare one" if self.rare else NONE

    @property
    def otherwise(self) -> int | None:
        """The number of a category that training has not seen; None if it is a mistake."""
        if self.frequent is not None:
            return self.known.index(self.frequent)
        return len(self.known) if self.unknown == "ignore" else None

    def reader(self, problems: Problems, decimal: str, *, training: bool = False) -> LabelCells:
        if training:
            return LabelCells(self.source, problems, fills=self.fills, decimal=decimal)
        stands = {"ignore": OTHER, "most_frequent": self.frequent}
        return LabelCells(
            self.source,
            problems,
            self.known,
            "input",
            fills=MISSING in self.categories,
            by_value=self.by_value,
            decimal=decimal,
            others=frozenset(self.rare),
            stand_in=stands.get(self.unknown),
        )

    def read_values(self, cells: LabelCells, values: Array, decimal: str) -> None:
        texts = () if self.by_value or cells.known is None else self.categories
        for row, value in enumerate(values.tolist()):
            text = canonical(text_of(value), decimal) if self.by_value else text_of(value)
            mistake = _about_number(value, text, texts, decimal) if texts and text else None
            if mistake is None or (mistake.kind == "unseen" and cells.stand_in is not None):
                cells.add(text, row)
            else:
                cells.problems.add(row, self.name, mistake)

    def learned(self, cells: LabelCells) -> Self:
        return replace(self, known=cells.ordered(), by_value=cells.holds_numbers)

    def encode(self, cells: LabelCells) -> Array:
        return self.encoded(cells.positions())

    def encoder(self, cells: LabelCells) -> Callable[[slice], Array]:
        codes = cells.positions()
        return lambda rows: self.encoded(codes[rows])

    def encoded(self, codes: Array) -> Array:
        """The features (rows, width) of rows with these categories, by their numbers."""
        return codes[:, None].astype(float)

    def codes(self, x: Array) -> Array:
        return x[:, 0].astype(np.intp)

    def unseen_rows(self, x: Array) -> Array | None:
        """Whether rows have a category that training has not seen; None where that does not show.

        It does not where such a category is a mistake, or counts as one that others have, too.
        """
        if self.rare or self.frequent is not None or self.otherwise is None:
            return None
        return np.asarray((x == self.encoded(np.array([self.otherwise]))).all(axis=1))

    def fitted(self, codes: Array, training: TrainingRows) -> Fitted | None:
        """Categories that no training row has are left out, and rare ones put together."""
        column, numbers, lost = self._regrouped(codes)
        if len(column.known) == len(self.known) and column.frequent is None:
            return None
        convert = partial(self._converted, column, numbers)
        return Fitted(column, convert, partial(self._unseen, lost))

    def _converted(self, after: Self, numbers: Array, x: Array) -> Array:
        return after.encoded(numbers[self.codes(x)])

    def _regrouped(self, codes: Array) -> tuple[Self, Array, Array]:
        """The column with the categories of training rows.

        Then the new number of each earlier category, that after the last being of all others, and
        which of them no training row has.
        """
        counts = np.bincount(codes, minlength=len(self.known))
        names = np.array(self.known, dtype=object)
        kept = counts >= max(self.min_count, 1)
        rare = ~kept & (counts > 0)
        frequent = None
        if self.unknown == "most_frequent" and kept.any():
            frequent = str(names[np.where(kept, counts, -1).argmax()])
        column = replace(self, known=tuple(names[kept]), rare=tuple(names[rare]), frequent=frequent)
        numbers = np.full(len(names), kept.sum())
        numbers[kept] = np.arange(kept.sum())
        if frequent is not None:
            numbers[counts == 0] = column.known.index(frequent)
        return column, numbers, counts == 0

    def _unseen(self, lost: Array, codes: Array) -> tuple[Array, tuple[str, ...]]:
        """The rows with a category that no training row has, and these categories."""
        there = np.bincount(codes, minlength=len(self.known))
        names = np.array(self.known, dtype=object)
        return np.flatnonzero(lost[codes]), tuple(names[lost & (there > 0)])

    def choices(self) -> list[tuple[str, Array]]:
        return list(zip(self.labels, self.encoded(np.arange(len(self.labels))), strict=True))

    def state(self) -> dict[str, Any]:
        found = {key: getattr(self, key) for key in ("by_value", "unknown", "frequent")}
        usual = {"by_value": False, "unknown": "error", "frequent": None}
        found = {key: value for key, value in found.items() if value != usual[key]}
        rare = {"rare": list(self.rare)} if self.rare else {}
        return {"known": list(self.known), **rare, **found}

    @classmethod
    def restored(cls, name: str, **state: Any) -> Self:
        lists = {key: tuple(state.get(key, ())) for key in ("known", "rare")}
        if not all(isinstance(label, str) for labels in lists.values() for label in labels):
            raise ValueError("a category is no text")
        given: dict[str, Any] = {**state, **lists}
        column = cls(name, **given)
        if column.frequent is not None and column.frequent not in column.known:
            raise ValueError("the most frequent category is none of the categories")
        return column


def _about_number(value: Any, text: str, known: Sequence[str], decimal: str) -> Mistake | None:
    """What is wrong with a number among categories that are text, None if it is one of them.

    The original text of a number is unknown: 7 may have been read from 7, 007 or 7.0.
    """
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return None
    spellings = [category for category in known if number(category, decimal) == value]
    if spellings == [text]:
        return None
    found = about_spelling(text, spellings, known)
    return found if spellings else replace(found, kind="unseen")


# A column of categories, one-hot encoded: a 0/1 feature for each category.


@dataclass(frozen=True)
class OneHot(Categorical):
    """A feature for each category, and one for all rare ones: 1 in rows that have it, else 0."""

    kind: ClassVar[str] = "one_hot"

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}={label}" for label in self.labels)

    @property
    def width(self) -> int:
        return len(self.known) + bool(self.rare)

    def encoded(self, codes: Array) -> Array:
        return np.equal(codes[:, None], np.arange(self.width)).astype(float)

    def codes(self, x: Array) -> Array:
        codes: Array = x.argmax(axis=1)
        return codes

    def example(self) -> Array:
        row: Array = np.eye(1, self.width)[0]
        return row

    def odd(self, x: Array) -> tuple[int, str] | None:
        """A number outside [0, 1], which may be a category that was not encoded."""
        wrong = ~((x >= 0) & (x <= 1))
        if not wrong.any():
            return None
        row, index = np.argwhere(wrong)[0]
        name = self.feature_names[index]
        what = f"{x[row, index]} in the one-hot column '{name}', where 0 and 1 belong"
        hint = f"in a table, '{self.name}' may hold its categories"
        return int(row), escaped(f"{what}; {hint}", kept="")

    @property
    def absent(self) -> int | None:
        """The feature that becomes 1 in rows with 0 in all features; None if there is none.

        Such a row has a category that training has not seen; where these are not ignored, a missing
        one, if training had some.
        """
        if self.unknown == "ignore":
            return len(self.known) if self.rare else None
        if MISSING in self.known:
            return self.known.index(MISSING)
        if MISSING in self.rare:
            return len(self.known)
        return None if self.frequent is None else self.known.index(self.frequent)

    @property
    def refuses(self) -> bool:
        """Whether rows with 0 in all features are a mistake."""
        return self.absent is None and self.unknown == "error"

    def completed(self, x: Array, place: Callable[[int], str]) -> Array:
        empty = ~x.any(axis=1)
        if not empty.any():
            return x
        if self.refuses:
            raise DataError(
                f"{place(int(empty.argmax()))} has 0 in all one-hot columns of "
                f"'{escaped(self.name, kept='')}': {about_unknown(MISSING, self.known).text}"
            )
        if self.absent is None:
            return x
        x = x.copy()
        x[empty, self.absent] = 1
        return x


# A column of categories whose vectors the network learns: one feature, the category's number.


@dataclass(frozen=True)
class Embedding(Categorical):
    """The number of a row's category; that after the last is of all rare and unknown ones."""

    kind: ClassVar[str] = "embedding"
    coded: ClassVar[bool] = True

    dimensions: int = 1

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def entries(self) -> int:
        """The rows of the table of vectors."""
        return len(self.known) + 1

    def odd(self, x: Array) -> tuple[int, str] | None:
        """A number that is not one of a category."""
        numbers = x[:, 0]
        right = (numbers >= 0) & (numbers < self.entries) & (numbers == np.floor(numbers))
        if right.all():
            return None
        row = int(right.argmin())
        belong = f"the numbers 0 to {self.entries - 1} of categories belong"
        what = f"{x[row, 0]} in the column '{self.name}', where {belong}"
        return row, escaped(f"{what}; in a table, it may hold its categories", kept="")

    def state(self) -> dict[str, Any]:
        return {**super().state(), "dimensions": self.dimensions}


# A column of categories as means of the target: one feature, or one for each of many classes.

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
