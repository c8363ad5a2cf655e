"""New rows from a table, also of networks that take values of earlier rows in it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.columns.cell_errors import IN_MEMORY, Mistake, Problems, about_width
from nnrun.data.columns.cells import LabelCells, NumberCells, WeightCells
from nnrun.data.columns.column import Column
from nnrun.data.columns.kinds import Lag
from nnrun.data.columns.missing_words import MissingWords
from nnrun.data.columns.table import Cells, Table
from nnrun.data.inference.put_aside import BadRows, CsvAside
from nnrun.data.inference.sources import (
    RowBatch,
    Rows,
    UnknownCategoryWarning,
    WeightColumn,
    about_unseen,
    check_named,
    texts,
    with_time,
)
from nnrun.data.layout import Layout, joined
from nnrun.data.readers.history import History, fill, rows_before
from nnrun.data.readers.opening import disk_errors
from nnrun.errors import DataError, UsageError
from nnrun.nn.signature import Array
from nnrun.suggestions import MAX_LISTED, nearest

NumberedRow = tuple[int, list[str]]
"""The cells of a row, with the number of its first line."""


class CsvRows(Rows):
    """`Rows` of a table; mistakes are reported with their places, in text as path:line:column.

    `make` opens the table, with the arguments `keep_text` and `needed` of `CsvTable`. Rows with
    mistakes are written to `aside` and left out, if it is given.
    """

    def __init__(
        self,
        path: Path,
        make: Callable[..., Table],
        layout: Layout,
        *,
        with_target: bool,
        carried: Sequence[str] = (),
        weight: WeightColumn | None = None,
        aside: BinaryIO | None = None,
    ) -> None:
        self.path, self.layout, self.with_target = path, layout, with_target
        self.columns = [column for column in layout.columns if column.kind != Lag.kind]
        uses = self._uses()
        weights = set() if weight is None else {weight.name}
        needed = {*uses, *carried, *weights}
        self.table = make(keep_text=aside is not None, needed=needed)
        self.table.missing_values = layout.columns.missing_values
        header, known = self.table.header, {*self.table.header}
        if missing := {name: use for name, use in uses.items() if name not in known}:
            raise DataError("\n".join(_missing(path, missing, header)))
        check_named(f"{path}:1", carried, header)
        self.weight, self.weighted = weight, not weights.isdisjoint(known)
        used = {*needed, *layout.target_names}
        named = (name or f"column {position}" for position, name in enumerate(header, 1))
        self.ignored = tuple(name for name in named if name not in used)
        super().__init__(layout, BadRows(path, self.table.problems().form), with_target=with_target)
        self._aside = None if aside is None else self._aside_in(aside)
        timed = self.table.timed(carried)
        self.carried = [(name, with_time if name in timed else str) for name in carried]

    def _uses(self) -> dict[str, str]:
        """The columns that are read, each with what it is for; features need no words."""
        found = dict.fromkeys((column.source for column in self.columns), "")
        if self.with_target:
            found |= dict.fromkeys(self.layout.target_names, ", the target")
        return found

    def _aside_in(self, file: BinaryIO) -> CsvAside:
        """Writer of rows with mistakes."""
        return CsvAside(file, self.table, self.layout.columns.encoding)

    def batches(self, rows: int) -> Iterator[RowBatch]:
        return self._all(rows) if self._aside is None else self._good(rows, self._aside)

    @property
    def _numbers(self) -> set[str]:
        """The columns that are read as numbers."""
        problems = self.table.problems()
        decimal = self.layout.columns.decimal
        cells = [column.reader(problems, decimal) for column in self.columns]
        cells += self.targets(problems)
        return {one.name for one in cells if one.of_numbers}

    def _all(self, rows: int) -> Iterator[RowBatch]:
        problems, end = self.table.problems(self.unseen), ""
        lines = self.table.rows(self._numbers)
        while not end:
            batch = Batch(self, problems)
            try:
                with disk_errors(self.path):
                    batch.read(islice(lines, rows))
            except DataError as error:  # the rest cannot be read
                end = str(error)
            if not batch.count:
                break
            if not problems:  # else the rest is only checked for further mistakes
                yield batch.encoded()
        problems.raise_if_any(end)

    def _good(self, rows: int, aside: CsvAside) -> Iterator[RowBatch]:
        """Rows without mistakes, in batches as if there were no others."""
        lines, total, good = self.table.rows_or_faults(self._numbers), 0, list[NumberedRow]()
        while True:
            with disk_errors(self.path):
                part = [(*row, self.table.record) for row in islice(lines, rows - len(good))]
            total += len(part)
            reasons = self._reasons(part)
            for line, cells, text in part:
                if isinstance(cells, str) or line in reasons:
                    aside.add(line, reasons[line], text)
                else:
                    good.append((line, cells))
            if good and (not part or len(good) == rows):
                batch = Batch(self, self.table.problems(self.unseen))
                batch.read(good)
                yield batch.encoded()
                good = []
            if not part:
                break
        self.bad.refuse_all(total)

    def _reasons(self, rows: Sequence[tuple[int, list[str] | str, str]]) -> dict[int, list[str]]:
        """What is wrong with which of these rows."""
        for line, fault, _ in rows:
            if isinstance(fault, str):
                self.bad.add(line, "", Mistake(fault, fault))
        sound = ((line, cells) for line, cells, _ in rows if not isinstance(cells, str))
        Batch(self, self.bad).read(sound)
        return self.bad.take()

    def targets(self, problems: Problems) -> list[NumberCells | LabelCells]:
        """Empty columns of cells for the targets, if they are read."""
        if not self.with_target:
            return []
        names, decimal = self.layout.target_names, self.layout.columns.decimal
        if self.layout.task == "classification":
            known, by_value = self.layout.classes, self.layout.numeric_labels
            return [
                LabelCells(
                    names[0],
                    problems,
                    known,
                    "input",
                    by_value=by_value,
                    decimal=decimal,
                    what="classes",
                )
            ]
        form = self.layout.target_form
        return [NumberCells(name, problems, "input", decimal=decimal, form=form) for name in names]

    def weights(self, problems: Problems) -> list[WeightCells]:
        """An empty column of cells for the weights of rows, if the table has them."""
        if self.weight is None or not self.weighted:
            return []
        name, form = self.weight.name, self.weight.form
        return [
            WeightCells(name, problems, "input", decimal=self.layout.columns.decimal, form=form)
        ]


class Batch:
    """Rows while they are read."""

    def __init__(self, source: CsvRows, problems: Problems) -> None:
        self.source = source
        self.problems = problems
        decimal = source.layout.columns.decimal
        self.features = [column.reader(problems, decimal) for column in source.columns]
        self.targets = source.targets(problems)
        self.weights = source.weights(problems)
        self.carried = [_Carried(*column) for column in source.carried]
        self.columns: list[Cells] = [
            *self.features,
            *self.targets,
            *self.weights,
            *self.carried,
        ]
        self.count = 0

    def read(self, rows: Iterable[NumberedRow]) -> None:
        """Read rows; it can be done once."""
        header = self.source.table.header
        self.source.table.tell(self.columns)
        position = {name: index for index, name in enumerate(header)}
        places = [(position[column.name], column) for column in self.columns]
        for line, cells in rows:
            self.count += 1
            if len(cells) != len(header):
                self.problems.add(line, "", about_width(len(cells), len(header)))
                continue
            for place, column in places:
                column.add(cells[place], line)

    def encoded(self) -> RowBatch:
        """The rows, if there are no mistakes."""
        source = self.source
        x = joined(source.columns, self.features, self.count, source.path)
        carried = tuple(texts(column.texts) for column in self.carried)
        shape = source.layout.shape if len(source.layout.shape) > 1 else x.shape[1:]
        weight = self.weights[0].features()[:, 0] if self.weights else None
        return RowBatch(x.reshape(len(x), *shape), self._y(), carried, weight)

    def _y(self) -> npt.NDArray[Any] | None:
        parts = [
            one.positions() if isinstance(one, LabelCells) else one.features()
            for one in self.targets
        ]
        return np.concatenate(parts, axis=-1) if parts else None


class _Carried(Cells):
    """The cells of a column that predictions come with, each in a form."""

    def __init__(self, name: str, form: Callable[[str], str]) -> None:
        self.name, self.form = name, form
        self.texts: list[str] = []

    def add(self, text: str, line: int) -> None:
        self.texts.append(self.form(text))


def _missing(path: Path, missing: dict[str, str], header: tuple[str, ...]) -> Iterator[str]:
    """A line for each missing column, and one with the columns of the file."""
    for name, use in list(missing.items())[: Problems.limit]:
        near = nearest(name, header)
        hint = f"; did you mean '{near}'?" if near else ""
        yield escaped(f"{path}:1: there is no column '{name}'{use}{hint}", kept="")
    if len(missing) > Problems.limit:
        yield f"{path}:1: and {len(missing) - Problems.limit} more are missing"
    more = f" and {len(header) - MAX_LISTED} more" if len(header) > MAX_LISTED else ""
    yield escaped(f"{path}:1: the columns are {', '.join(header[:MAX_LISTED])}{more}", kept="")


class LagRows(CsvRows):
    """`Rows` of a CSV file that is read as a whole, in the order of the file.

    Rows with too few earlier ones are not predicted, nor those with a missing value among the
    earlier ones; `row` is the number in the file, from 1 on.
    """

    added = ("row",)

    def _aside_in(self, file: BinaryIO) -> NoReturn:
        message = "rows that are put aside would be missing before others; correct them first"
        raise UsageError(f"--skip-bad: the network takes values of earlier rows, and {message}")

    def _uses(self) -> dict[str, str]:
        return {**self._history(Problems(self.path)).names, **super()._uses()}

    def batches(self, rows: int) -> Iterator[RowBatch]:
        problems = self.table.problems(self.unseen)
        batch = Batch(self, problems)
        history = self._history(problems, [*batch.features, *batch.targets])
        with disk_errors(self.path):
            batch.count, _, end = fill(self.table, batch.columns, problems, history)
        problems.raise_if_any(end)
        if not batch.count:
            return
        whole, lags = batch.encoded(), history.features(batch.count)
        known = np.flatnonzero(~np.isnan(lags).any(axis=1))
        self.unpredicted = batch.count - len(known)
        if not len(known):
            steps = max(step for lag in history.lags for step in lag.steps)
            message = f"no row has the values of the {rows_before(steps)} that are needed"
            raise DataError(f"{self.path}: {message}; the file has to begin that much earlier")
        for start in range(0, len(known), rows):
            at = known[start : start + rows]
            yield RowBatch(
                np.hstack([whole.x[at], lags[at]]),
                None if whole.y is None else whole.y[at],
                (at + 1, *(column[at] for column in whole.carried)),
                None if whole.weight is None else whole.weight[at],
            )

    def _history(self, problems: Problems, read: Sequence[Cells] = ()) -> History:
        columns = self.layout.columns
        return History(columns.every, problems, columns.decimal, "input", read)


# Rows of a table in memory: a DataFrame, or an array of text.

_SHOWN = 8


def table_rows(x: Any, layout: Layout) -> Array | None:
    """Rows (rows, features), encoded as in training, of a table or an array of cells.

    A table has `columns`, and a column under each name, as tables of pandas and polars have;
    columns that are not features are ignored. If training had columns that are not numbers, an
    array, or a table whose columns have no names, may be of text or objects, (rows, columns), with
    its columns in the order of training.

    Returns: None for other arrays.
    Raises: DataError for missing columns and wrong cells, each with its row, counted from 0.
    """
    values = _cells(x, layout)
    return None if values is None else _encoded(values, layout)


def sound_rows(x: Any, layout: Layout) -> tuple[Array | None, dict[int, str]]:
    """The rows without wrong cells, and what is wrong with the others, by row.

    Like `table_rows`, None for other arrays.

    Raises: DataError for missing columns, or if all rows are wrong.
    """
    values = _cells(x, layout)
    if values is None:
        return None, {}
    bad = BadRows("the table", IN_MEMORY)
    _read(values, layout, bad)
    reasons = {row: "; ".join(found) for row, found in bad.take().items()}
    rows = len(next(iter(values.values())))
    bad.refuse_all(rows)
    kept = np.delete(np.arange(rows), list(reasons))
    good = {name: np.asarray(cells)[kept] for name, cells in values.items()}
    return _encoded(good, layout), reasons


def _cells(x: Any, layout: Layout) -> dict[str, Any] | None:
    """The cells of each column; None for an array of numbers."""
    if hasattr(x, "columns"):
        return _frame_cells(x, layout)
    cells = None if layout.columns.plain else np.asarray(x)
    if cells is None or cells.ndim != 2 or cells.dtype.kind not in "OU":
        return None
    return _array_cells(cells, layout)


def _frame_cells(frame: Any, layout: Layout) -> dict[str, Any] | None:
    names = [str(name) for name in frame.columns]
    features = layout.columns.features
    if not features or not any(isinstance(name, str) for name in frame.columns):
        return _cells(np.asarray(frame), layout)
    missing = [name for name in features if name not in names]
    if missing:
        raise DataError(_lacking(missing, names))
    columns = dict(zip(names, frame.columns, strict=True))
    return {name: frame[columns[name]] for name in features}


def _array_cells(cells: Array, layout: Layout) -> dict[str, Any]:
    features = layout.columns.features
    if cells.shape[1] != len(features):
        given = f"rows of {cells.shape[1]} cells were given"
        more = ", …" * (len(features) > _SHOWN)
        raise DataError(f"{given} where the columns are {', '.join(features[:_SHOWN])}{more}")
    return dict(zip(features, cells.T, strict=True))


def _encoded(values: Mapping[str, Any], layout: Layout) -> Array:
    problems = Problems("the table", form=IN_MEMORY)
    read = _read(values, layout, problems)
    problems.raise_if_any()
    for text in about_unseen(layout.columns, problems.unseen):
        warnings.warn(text, UnknownCategoryWarning, stacklevel=_level_outside())
    return np.hstack([column.encode(cells) for column, cells in read])


def _level_outside() -> int:
    """The stack level, from the caller on, of the code that called nnrun."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals["__name__"].partition(".")[0] == "nnrun":
        frame, level = frame.f_back, level + 1
    return level


def _read(
    values: Mapping[str, Any], layout: Layout, problems: Problems
) -> list[tuple[Column, Any]]:
    read = []
    for column in layout.columns:
        cells = column.reader(problems, decimal=".")
        cells.words = MissingWords.of(column.source, layout.columns.missing_values, ".")
        given = _array(values[column.source])
        if cells.words.numbers:
            given = _without(given, cells.words)
        column.read_values(cells, given, layout.columns.decimal)
        read.append((column, cells))
    return read


def _array(values: Any) -> Array:
    """A column as an array; dates with a time zone as objects, since NumPy has no zones."""
    zone = getattr(getattr(values, "dtype", None), "time_zone", None)  # of polars
    return np.asarray(values) if zone is None else np.array(list(values), object)


def _without(values: Array, words: MissingWords) -> Array:
    """The same cells, without the numbers that stand for missing values."""
    found = [
        None if isinstance(value, int | float) and words.numbers.get(value) else value
        for value in values.tolist()
    ]
    return values if all(value is not None for value in found) else np.array(found, object)


def _lacking(missing: Sequence[str], names: Sequence[str]) -> str:
    """A message with the missing columns, and the columns of the table that may be meant."""
    shown = [f"'{name}'" for name in missing[:_SHOWN]]
    more = [f"{len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else []
    near = dict.fromkeys(filter(None, (nearest(name, names) for name in missing)))
    meant = "did you mean " + ", ".join(f"'{name}'" for name in near) + "?"
    there = f"its columns are {', '.join(names[:_SHOWN])}" + ", …" * (len(names) > _SHOWN)
    text = f"the table has no column {', '.join(shown + more)}; {meant if near else there}"
    return escaped(text, kept="")
