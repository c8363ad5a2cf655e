"""What columns of categories have in common, whatever the features that they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Self

import numpy as np

from nnrun.data.cells.cell_errors import Mistake, about_spelling
from nnrun.data.cells.labels import MISSING, LabelCells
from nnrun.data.cells.problems import Problems
from nnrun.data.columns.column import Column, text_of
from nnrun.data.labels import canonical, number
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class Categorical(Column):
    """A column of categories.

    Args:
        name: of the column.
        known: the categories, in order; "" is the one for missing values.
        by_value: whether all were numbers in the training file, so that 7 and 7.0 are the same.
        fills: in training, whether missing values are a category of their own.
    """

    known: tuple[str, ...] = ()
    by_value: bool = False
    fills: bool = False

    @property
    def categories(self) -> tuple[str, ...]:
        return self.known

    @property
    def labels(self) -> tuple[str, ...]:
        """The categories as they are shown."""
        return tuple(label or "(missing)" for label in self.known)

    def reader(self, problems: Problems, decimal: str, *, training: bool = False) -> LabelCells:
        if training:
            return LabelCells(self.source, problems, fills=self.fills, decimal=decimal)
        return LabelCells(
            self.source,
            problems,
            self.known,
            "input",
            fills=MISSING in self.known,
            by_value=self.by_value,
            decimal=decimal,
        )

    def read_values(self, cells: LabelCells, values: Array, decimal: str) -> None:
        texts = () if self.by_value or cells.known is None else self.known
        for row, value in enumerate(values.tolist()):
            text = canonical(text_of(value), decimal) if self.by_value else text_of(value)
            mistake = _about_number(value, text, texts, decimal) if texts and text else None
            if mistake is None:
                cells.add(text, row)
            else:
                cells.problems.add(row, self.name, mistake)

    def learned(self, cells: LabelCells) -> Self:
        return replace(self, known=cells.ordered(), by_value=cells.holds_numbers, fills=False)

    def state(self) -> dict[str, Any]:
        return {"known": list(self.known), **({"by_value": True} if self.by_value else {})}

    @classmethod
    def restored(cls, name: str, **state: Any) -> Self:
        known = tuple(state["known"])
        if not all(isinstance(label, str) for label in known):
            raise ValueError("a category is no text")
        return cls(name, **{**state, "known": known})


def _about_number(value: Any, text: str, known: Sequence[str], decimal: str) -> Mistake | None:
    """What is wrong with a number among categories that are text, None if it is one of them.

    The original text of a number is unknown: 7 may have been read from 7, 007 or 7.0.
    """
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return None
    spellings = [category for category in known if number(category, decimal) == value]
    return None if spellings == [text] else about_spelling(text, spellings, known)
