"""What columns of categories have in common, regardless of the features that they become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import Any, Self

import numpy as np

from nnrun.data.cells.cell_errors import Mistake, about_spelling
from nnrun.data.cells.labels import MISSING, OTHER, LabelCells
from nnrun.data.cells.problems import Problems
from nnrun.data.columns.column import Column, Fitted, TrainingRows, text_of
from nnrun.data.labels import canonical, number
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
