"""New rows of any source, the columns that they come with, and checks of encoded features."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import getsizeof
from typing import Any, BinaryIO, Literal, Self

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.columns.categories import Categorical
from nnrun.data.columns.cell_errors import IN_ARRAYS, Mistake, UnseenCategories, about_unknown
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.encodings import UTF_8
from nnrun.data.images import CHANNELS, images_within, is_image, read_image
from nnrun.data.inference.put_aside import BadRows, NpzAside
from nnrun.data.layout import Columns, Layout
from nnrun.data.readers.excel import open_table
from nnrun.data.readers.npz import arrays_in, check_finite, names_in
from nnrun.data.readers.opening import open_data
from nnrun.data.rows import release, while_there_is_room
from nnrun.errors import DataError, UsageError, first_of
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


def read_carried(
    path: Path, names: Sequence[str], separator: str | None, encoding: str = UTF_8
) -> dict[str, Array]:
    """These columns of a table, or arrays of an npz file, for all its rows.

    Raises: DataError if there is no such column, or the file cannot be read.
    """
    if path.suffix.lower() == ".npz":
        return _read_arrays(path, names)
    with open_table(path, separator, encoding=encoding) as table:
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


# New rows from an npz file: the array x, and y if predictions are scored.
#
# Large arrays are mapped, as those of training are, so that a file may be larger than memory.

Arrays = dict[str, Array]


class NpzRows(Rows):
    """`Rows` of an npz file; mistakes are reported as path: array[row].

    Rows with mistakes are written to `aside` and left out, if it is given.
    """

    kind = "npz"

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        layout: Layout,
        *,
        with_target: bool,
        carried: Sequence[str] = (),
        aside: BinaryIO | None = None,
    ) -> None:
        super().__init__(layout, BadRows(path, IN_ARRAYS), with_target=with_target)
        self.path, self.carried = path, carried
        self._aside = None if aside is None else NpzAside(aside)
        names = ["x", "y"] if with_target else ["x"]
        self._arrays = arrays_in(path, file, list(dict.fromkeys([*names, *carried])))
        for name in names:
            if name not in self._arrays:
                raise DataError(f"{path}: has no array {name}")
        check_named(path, carried, names_in(path, file))
        self._check_shapes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._aside is not None:
            self._aside.close(complete=kind is None)

    def batches(self, rows: int) -> Iterator[RowBatch]:
        parts = self._parts(rows)
        if self._aside is None:
            return (self._checked(arrays, start) for start, arrays in parts)
        return self._good(parts, rows, self._aside)

    def _parts(self, rows: int) -> Iterator[tuple[int, Arrays]]:
        for start in range(0, len(self._arrays["x"]), rows):
            yield start, {name: a[start : start + rows] for name, a in self._arrays.items()}
            for array in self._arrays.values():
                release(array)

    def _good(
        self, parts: Iterator[tuple[int, Arrays]], rows: int, aside: NpzAside
    ) -> Iterator[RowBatch]:
        """Rows without mistakes, in batches as if there were no others."""
        held: Arrays = {}
        for start, arrays in parts:
            reasons = self._reasons(arrays, start)
            aside.put(arrays, reasons, start)
            kept = np.delete(np.arange(len(arrays["x"])), [row - start for row in reasons])
            good = {name: array[kept] for name, array in arrays.items()}
            held = {n: np.concatenate([held[n], a]) for n, a in good.items()} if held else good
            if len(held["x"]) >= rows:
                yield self._checked({name: array[:rows] for name, array in held.items()}, 0)
                held = {name: array[rows:] for name, array in held.items()}
        if held and len(held["x"]):
            yield self._checked(held, 0)
        self.bad.refuse_all(self._arrays["x"].shape[0])

    def _reasons(self, arrays: Arrays, start: int) -> dict[int, str]:
        """What is wrong with which rows, found by halves."""
        try:
            self._checked(arrays, start)
        except DataError as error:
            count = len(arrays["x"])
            if count == 1:
                reason = str(error).removeprefix(f"{self.path}: ")
                self.bad.add(start, "", Mistake(reason, reason))
                self.bad.take()
                return {start: reason}
            half = count // 2
            first = {name: array[:half] for name, array in arrays.items()}
            second = {name: array[half:] for name, array in arrays.items()}
            return self._reasons(first, start) | self._reasons(second, start + half)
        return {}

    def _checked(self, arrays: Arrays, start: int) -> RowBatch:
        """The rows from `start` on; raises a DataError if there is a mistake."""
        x = self.layout.arranged(arrays["x"])
        if x.dtype != np.uint8:
            x = x.astype(np.float64)
            check_finite(self.path, "x", without_missing(x, self.layout.columns), start)
        if (odd := odd_code(x, self.layout.columns)) is not None:
            raise DataError(f"{self.path}: x[{start + odd[0]}] has {odd[1]}")
        x = completed(x, self.layout.columns, lambda row: f"{self.path}: x[{start + row}]")
        y = self._y(arrays["y"], start) if self.with_target else None
        return RowBatch(x, y, tuple(arrays[name] for name in self.carried))

    def _check_shapes(self) -> None:
        x, shape = self._arrays["x"], self.layout.shape
        if x.dtype.kind not in "buif":
            raise DataError(f"{self.path}: x: holds {x.dtype}, not real numbers")
        if not x.shape or not self.layout.fits(x.shape[1:]):
            has = f"rows of shape {x.shape[1:]}" if x.shape else "a single number"
            raise DataError(f"{self.path}: x: has {has} where {shape} are needed")
        for name in self.carried:
            array = self._arrays[name]
            check_column(self.path, name, array.shape, array.dtype)
            if array.shape != x.shape[:1]:
                raise DataError(f"{self.path}: {name}: has {array.shape[0]} rows, x {x.shape[0]}")
        if not self.with_target:
            return
        y = self._arrays["y"]
        outputs = 1 if self.layout.task == "classification" else len(self.layout.target_names)
        kinds = "buif" + "U" * (self.layout.task == "classification")
        if y.dtype.kind not in kinds:
            raise DataError(f"{self.path}: y: holds {y.dtype}, which training had not")
        if y.shape != (x.shape[0], outputs) and (y.shape != x.shape[:1] or outputs > 1):
            needed = (x.shape[0], outputs) if outputs > 1 else x.shape[:1]
            raise DataError(f"{self.path}: y: has shape {y.shape} where {needed} is needed")

    def _y(self, y: Array, start: int) -> Array:
        if self.layout.task == "regression":
            values = y.astype(np.float64).reshape(len(y), -1)
            check_finite(self.path, "y", values, start)
            return values
        numbers = {name: number for number, name in enumerate(self.layout.classes)}
        texts = y.reshape(len(y)).astype(str)
        seen, places = np.unique(texts, return_inverse=True)
        found = np.array(
            [numbers.get(self.layout.label(text.strip()), -1) for text in seen.tolist()]
        )
        classes: Array = found[places]
        if (classes < 0).any():
            row = int((classes < 0).argmax())
            message = about_unknown(str(texts[row]), self.layout.classes, "classes").text
            raise DataError(f"{self.path}: y[{start + row}]: {message}")
        return classes


# New rows from files of images, decoded as those of training.

FILE = "file"


def are_images(inputs: Sequence[Path]) -> bool:
    """Whether these are images, by their names, or folders of them, and no table or arrays."""
    return len(inputs) > 1 or any(map(_holds_images, inputs))


def _holds_images(path: Path) -> bool:
    return path.is_dir() or is_image(path.name)


class ImageRows(Rows):
    """`Rows` of files and folders of images; batches come with the paths of the files.

    Args:
        inputs: the files and folders.
        with_target: whether the names of the files' folders are read as their classes.
    """

    def __init__(self, inputs: Sequence[Path], layout: Layout, *, with_target: bool) -> None:
        if not layout.from_images:
            image = next(filter(_holds_images, inputs), None)
            if image is None:
                message = "one file of rows is predicted at a time; run the command for each"
                raise UsageError(f"{inputs[1]}: is a second input: {message}")
            raise UsageError(
                f"{image}: is not a file of rows: this run was not trained on a folder of "
                "images; give it a CSV or npz file like that which it was trained on"
            )
        self.files = [file for path in inputs for file in images_within(path)]
        super().__init__(layout, BadRows(inputs[0]), with_target=with_target)
        self.mode = next(mode for mode, n in CHANNELS.items() if n == layout.shape[0])

    def batches(self, rows: int) -> Iterator[RowBatch]:
        wrong: list[str] = []
        for start in range(0, len(self.files), rows):
            files = self.files[start : start + rows]
            x = np.empty((len(files), *self.layout.shape), np.uint8)
            for row, file in enumerate(files):
                try:
                    x[row] = read_image(file, self.mode, self.layout.shape[1:])  # type: ignore[arg-type]
                except DataError as error:
                    wrong.append(str(error))
            if not wrong:  # else the rest is only checked for further mistakes
                y = self._classes(files) if self.with_target else None
                yield RowBatch(x, y, (texts([str(file) for file in files]),))
        if wrong:
            raise DataError("\n".join(first_of(wrong)))

    def _classes(self, files: Sequence[Path]) -> Array:
        numbers = {name: number for number, name in enumerate(self.layout.classes)}
        found = [numbers.get(self.layout.label(file.absolute().parent.name), -1) for file in files]
        if -1 in found:
            file = files[found.index(-1)]
            unknown = about_unknown(file.absolute().parent.name, self.layout.classes, "classes")
            raise DataError(f"{file}: its folder {unknown.text}")
        return np.array(found, np.int64)
