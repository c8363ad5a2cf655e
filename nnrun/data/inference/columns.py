"""New rows of any source, the columns that they come with, and checks of encoded features."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import getsizeof
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.cells.problems import UnseenCategories
from nnrun.data.columns.categorical import Categorical
from nnrun.data.formats.numbers import NumberFormat
from nnrun.data.inference.put_aside import BadRows
from nnrun.data.layout import Columns, Layout
from nnrun.data.memory import while_there_is_room
from nnrun.data.readers.npz_arrays import arrays_in, names_in
from nnrun.data.readers.opening import open_data
from nnrun.data.readers.tables.opening import open_table
from nnrun.errors import DataError
from nnrun.nn.signature import Array
from nnrun.suggestions import suggestion

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, eq=False)
class RowBatch:
    """Consecutive rows.

    x is raw, (rows, *shape); y is as in a data set: class numbers (rows,) or values
    (rows, outputs); None if the target is not read. `carried` has the columns to carry through.
    `weight` (rows,) is None where rows have no weights.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any] | None = None
    carried: tuple[Array, ...] = ()
    weight: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class WeightColumn:
    """The column of a table with the weights of its rows, and how numbers are written there."""

    name: str
    form: NumberFormat | None = None


class Rows(ABC):
    """New rows of one source.

    `kind` is its format; `ignored` names its columns that are neither features nor the target, nor
    carried through. `bad` has the rows that were put aside, and `unseen` by column the categories
    that training has not seen, in the batches so far. `added` names columns that batches carry
    before those asked for; `unpredicted` is the number of rows that are in no batch. `weighted` is
    whether batches have weights.

    Args:
        bad: empty.
        with_target: whether the target is read too.
    """

    kind: Literal["csv", "npz"] = "csv"
    ignored: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    unpredicted = 0
    weighted = False

    def __init__(self, layout: Layout, bad: BadRows, *, with_target: bool) -> None:
        self.layout, self.bad, self.with_target = layout, bad, with_target
        self.unseen: dict[str, UnseenCategories] = {}

    @abstractmethod
    def batches(self, rows: int) -> Iterator[RowBatch]:
        """Batches of this many rows; the last may be smaller.

        Raises: DataError for wrong rows, after all have been read; if wrong rows are put aside,
        only if all are wrong.
        """


def without_missing(x: Array, columns: Columns) -> Array:
    """Rows with 0 in place of NaN in features that preprocessing fills in; x is not changed."""
    places = list(columns.imputed)
    if not places:
        return x
    known = x.copy()
    known[:, places] = np.where(np.isnan(x[:, places]), 0, x[:, places])
    return known


def odd_code(x: Array, columns: Columns) -> tuple[int, str] | None:
    """The first row that is not encoded as in training, and a message about it."""
    if columns.plain:
        return None
    found = (column.odd(part) for column, part in columns.parts(x))
    return min((odd for odd in found if odd is not None), default=None, key=lambda odd: odd[0])


def completed(x: Array, columns: Columns, place: Callable[[int], str] = "row {}".format) -> Array:
    """Rows in which what is missing is encoded as in training; x is not changed.

    `place` names the row at an index of x in errors.

    Raises: DataError if there is such a row, but the column had no missing values in training.
    """
    if columns.plain:
        return x
    parts = [(part, column.completed(part, place)) for column, part in columns.parts(x)]
    if all(after is before for before, after in parts):
        return x
    return np.hstack([after for _, after in parts])


class UnknownCategoryWarning(UserWarning):
    """Rows have categories that training has not seen, and are predicted all the same."""


def about_unseen(columns: Columns, unseen: Mapping[str, UnseenCategories]) -> Iterator[str]:
    """A line for each column with such categories: how many cells, some, and what they count as."""
    for column in columns:
        found = unseen.get(column.source)
        if found is not None and isinstance(column, Categorical):
            several = found.cells > 1
            cells = f"{found.cells:,} cell{'s' * several} {'have' if several else 'has'}"
            names = ", ".join(f"'{name}'" for name in found.examples)
            more = ", …" * found.more
            text = (
                f"{column.source}: {cells} a category that training has not seen ({names}{more}), "
                f"predicted as {column.stands_for}"
            )
            yield escaped(text, kept="")


def check_named(path: Path | str, carried: Sequence[str], names: Sequence[str]) -> None:
    """Raise a DataError with each carried column that is none of these names."""
    lines = [
        escaped(f"{path}: there is no column '{name}' for --id{suggestion(name, names)}", kept="")
        for name in carried
        if name not in names
    ]
    if lines:
        raise DataError("\n".join(lines))


def with_time(cell: str) -> str:
    """A date in the form of others of its column, which have a time of day."""
    return f"{cell}T00:00:00" if _DAY.fullmatch(cell) else cell


def texts(cells: Sequence[str]) -> Array:
    """Cells as an array of objects, (rows,): arrays of text would drop NULs at the ends."""
    array: Array = np.empty(len(cells), object)
    array[:] = cells
    return array


def read_carried(path: Path, names: Sequence[str], separator: str | None) -> dict[str, Array]:
    """These columns of a table, or arrays of an npz file, for all its rows.

    Raises: DataError if there is no such column, or the file cannot be read.
    """
    if path.suffix.lower() == ".npz":
        return _read_arrays(path, names)
    with open_table(path, separator) as table:
        check_named(f"{path}:1", names, table.header)
        places = [table.header.index(name) for name in names]
        timed = table.timed(names)
        found = ([cells[place] for place in places] for _, cells in table.rows())
        rows = [*while_there_is_room(found, lambda row: sum(map(getsizeof, row)), str(path))]
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    return {
        name: texts([*map(with_time, cells)] if name in timed else cells)
        for name, cells in columns.items()
    }


def _read_arrays(path: Path, names: Sequence[str]) -> dict[str, Any]:
    with open_data(path) as file:
        arrays = arrays_in(path, file, names)
        check_named(path, names, names_in(path, file))
    for name, array in arrays.items():
        check_column(path, name, array.shape, array.dtype)
    return arrays


def check_column(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise a DataError if an array is no column of numbers or texts."""
    if len(shape) != 1 or dtype.kind not in "buifU":
        raise DataError(f"{path}: {name}: is {dtype} of shape {shape}, and no column for --id")
