"""A column of a table as features of x."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nnrun.data.columns.cell_errors import Problems
from nnrun.data.columns.cells import NumberCells
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.nn.signature import Array

# The texts of pandas for missing values.
_NOTHING = ("nan", "<NA>", "NaT")


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """What columns are fitted to, besides their own features.

    Args:
        y: as in a data set: class numbers (rows,) or values (rows, outputs).
        classes: by number; empty for regression.
        draw: a seed for folds.
    """

    y: Array
    classes: tuple[str, ...]
    draw: Callable[[], int]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A column after the split.

    Args:
        column: with what the training rows have.
        convert: its features (rows, width) from those before the split.
        unseen: of the `codes` before the split, the rows that hold what no training row has,
            and what that is.
        training: the features of the training rows, if they differ from those of `convert`.
    """

    column: Column
    convert: Callable[[Array], Array]
    unseen: Callable[[Array], tuple[npt.NDArray[np.intp], tuple[str, ...]]]
    training: Array | None = None


@dataclass(frozen=True)
class Column(ABC):
    """What a column of a file becomes: one or several features of x. Each kind is a subclass.

    A training file is read into `reader(…, training=True)`; `learned` is the column that knows what
    was read, and its `encode` gives the features; after the split, `fitted` says what changes. New
    rows are read into `reader`, and encoded likewise. The methods from `choices` on are about
    features (rows, width) that are already encoded.
    """

    name: str
    kind: ClassVar[str]
    coded: ClassVar[bool] = False
    """Whether its feature is the number of a category, which preprocessing leaves alone."""

    @property
    def source(self) -> str:
        """The name of the column in the file."""
        return self.name

    @property
    @abstractmethod
    def feature_names(self) -> tuple[str, ...]:
        """The names of its features."""

    @property
    def width(self) -> int:
        """How many features it has."""
        return len(self.feature_names)

    @property
    def imputed(self) -> Mapping[int, str]:
        """Its features where missing numbers are filled in, each with the statistic."""
        return {}

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The categories of training; None if it holds none."""
        return None

    @abstractmethod
    def reader(self, problems: Problems, decimal: str, *, training: bool = False) -> Any:
        """An empty column of cells, `Cells`."""

    def read_values(self, cells: Any, values: Array, decimal: str) -> None:
        """Read a whole column of numbers, texts or objects; rows count from 0."""
        for row, value in enumerate(values.tolist()):
            cells.add(text_of(value), row)

    def learned(self, cells: Any) -> Self:
        """The column that knows what the training file holds."""
        return self

    @abstractmethod
    def encode(self, cells: Any) -> Array:
        """The features of what was read: (rows, width)."""

    def encoder(self, cells: Any) -> Callable[[slice], Array]:
        """A function that gives these features for some of the rows."""
        return self.encode(cells).__getitem__

    def codes(self, x: Array) -> Array:
        """What `fitted` needs of features (rows, width), as (rows,)."""
        return np.zeros(len(x), np.intp)

    def fitted(self, codes: Array, training: TrainingRows) -> Fitted | None:
        """The column after a split with the `codes` of training rows; None if unchanged."""
        return None

    def choices(self) -> list[tuple[str, Array]] | None:
        """The name and the features (width,) of each value; None if values are numbers.

        Empty if they are neither, as for dates.
        """
        return None

    def example(self) -> Array:
        """Features that a row may have: (width,)."""
        return np.zeros(self.width)

    def odd(self, x: Array) -> tuple[int, str] | None:
        """The first row that is not encoded as in training, and a message; None if all are."""
        return None

    def completed(self, x: Array, place: Callable[[int], str]) -> Array:
        """Rows in which what is missing is encoded as in training; x is not changed.

        Raises: DataError for a row that cannot be; `place` names the row at an index.
        """
        return x

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The arguments of the class but for the name, as JSON-able values."""

    @classmethod
    def restored(cls, name: str, **state: Any) -> Self:
        """The column that `state` described."""
        return cls(name, **state)


def text_of(value: Any) -> str:
    """The text of a value, as in a file; blank for a missing one."""
    if isinstance(value, str):
        return value
    text = "" if value is None else str(value)
    return "" if text in _NOTHING else text


# A column of numbers: one feature.


@dataclass(frozen=True)
class Number(Column):
    """One feature; missing numbers are refused, or filled in by a statistic."""

    kind: ClassVar[str] = "number"

    statistic: str = ""
    """`mean`, `median` or `most_frequent`, or empty."""
    form: NumberFormat | None = None
    """How numbers are written, if not plainly."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def imputed(self) -> Mapping[int, str]:
        return {0: self.statistic} if self.statistic else {}

    def reader(self, problems: Problems, decimal: str, *, training: bool = False) -> NumberCells:
        role, fills = "feature" if training else "input", bool(self.statistic)
        return NumberCells(
            self.source, problems, role, fills=fills, decimal=decimal, form=self.form
        )

    def read_values(self, cells: NumberCells, values: Array, decimal: str) -> None:
        if values.dtype.kind in "buif" and np.isfinite(values).all():
            cells.values.frombytes(np.ascontiguousarray(values, np.float64).tobytes())
            return
        for row, value in enumerate(values.tolist()):
            if self.form is not None and isinstance(value, int | float) and isfinite(value):
                cells.values.append(value)
            else:
                cells.add(text_of(value), row)

    def encode(self, cells: NumberCells) -> Array:
        return cells.features()

    def state(self) -> dict[str, Any]:
        statistic = {"statistic": self.statistic} if self.statistic else {}
        return statistic | ({} if self.form is None else {"form": self.form.stored()})

    @classmethod
    def restored(cls, name: str, **state: Any) -> Self:
        form = state.get("form")
        return cls(name, **state | {"form": form and NumberFormat.from_example(form)})
