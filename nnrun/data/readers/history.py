"""The columns of all rows of a file that values of earlier rows are taken from."""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from nnrun.data.columns.cell_errors import Mistake, Problems
from nnrun.data.columns.cells import DateCells, LabelCells, NumberCells, TimeColumn
from nnrun.data.columns.column import Column
from nnrun.data.columns.kinds import EqualTimes, Lag, lagged
from nnrun.data.columns.table import Cells, Part, Table
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.rows import refuse_if_too_big, while_there_is_room
from nnrun.errors import DataError
from nnrun.nn.signature import Array

_TIMES = (TimeColumn, DateCells, NumberCells)


class History:
    """Cells of every row, also of those that are left out for missing values.

    Args:
        columns: of a table; those that are not of the kind `lag` are not looked at.
        role: `split` if missing times are allowed, whose rows have no place in the order; or
            `input`.
        read: cells of the same rows that are read too; mistakes that they report are left out.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        problems: Problems,
        decimal: str,
        role: str = "split",
        read: Iterable[Cells] = (),
    ) -> None:
        self.lags = [column for column in columns if isinstance(column, Lag)]
        self.problems, self.role = problems, role
        self.values = dict[Lag, NumberCells]()
        self.times, self.groups = dict[str, TimeColumn](), dict[str, LabelCells]()
        silent = Problems(problems.path)
        numbers = {cells.name for cells in read if isinstance(cells, NumberCells)}
        times = {cells.name for cells in read if isinstance(cells, _TIMES) and not cells.fills}
        for lag in self.lags:
            heard = silent if lag.of in numbers else problems
            self.values[lag] = lag.reader(heard, decimal, training=role == "split")
            heard = silent if lag.time in times else problems
            self.times[lag.time] = TimeColumn(lag.time, heard, decimal, lag.time_form, role)
            if lag.group:  # any text is a group, and a missing one too
                cells = LabelCells(lag.group, silent, fills=True, decimal=decimal)
                self.groups[lag.group] = cells
        self.cells: list[Cells] = [
            *self.values.values(),
            *self.times.values(),
            *self.groups.values(),
        ]
        self._rows, self._lines = array("q"), array("q")

    def extend(self, part: Part, first: int) -> None:
        """Read rows, the first of which has this index."""
        if not self.lags:
            return
        known = np.ones(len(part), np.bool_)
        for time in self.times.values() if self.role == "split" else ():
            known &= ~part.columns[time.name].where(time.is_missing)
        lines = np.asarray(part.lines)[known]
        for column in self.cells:
            cells = part.columns[column.name]
            column.extend(cells if known.all() else cells.taken(known), lines)
        self._rows.frombytes((first + np.flatnonzero(known)).astype(np.int64).tobytes())
        self._lines.frombytes(lines.astype(np.int64).tobytes())

    @property
    def names(self) -> dict[str, str]:
        """The columns of the file that are read, each with what it is for."""
        found = {lag.of: ", whose earlier values are used" for lag in self.lags}
        found |= dict.fromkeys(self.times, ", which puts rows in order")
        return found | dict.fromkeys(self.groups, ", whose groups have lags of their own")

    def features(self, rows: int) -> Array:
        """The lags of all rows of the file: (rows, features), NaN where one is not known.

        Raises: DataError if two rows of one group have the same time.
        """
        found = np.full((rows, sum(lag.width for lag in self.lags)), np.nan)
        start = 0
        for lag, cells in self.values.items():
            times = self.times[lag.time].positions()
            groups = self.groups[lag.group].positions() if lag.group else None
            end = start + lag.width
            try:
                lags = lagged(cells.features()[:, 0], times, lag.steps, groups)
            except EqualTimes as error:
                self._refuse(lag, error)
            found[self._rows, start:end] = lags
            start = end
        return found

    def series(self, rows: int, target: str) -> npt.NDArray[np.int64] | None:
        """The number of the group of each row of the file, by the lags of the target or others."""
        own = sorted((lag for lag in self.lags if lag.group), key=lambda lag: lag.of != target)
        if not own:
            return None
        found = np.full(rows, -1, np.int64)
        found[self._rows] = self.groups[own[0].group].positions()
        return found

    def _refuse(self, lag: Lag, error: EqualTimes) -> NoReturn:
        first, second = (self._lines[row] for row in error.rows)
        where = f" in one group of '{lag.group}'" if lag.group else ""
        text = f"has the time of line {first}{where}, so that neither is earlier"
        hint = "; leave one of them out: training had one row for each time"
        if self.role == "split":
            key = f"`dataset: {{lags: {{{lag.of}: {{steps: {[*lag.steps]}, group: …}}}}}}`"
            hint = "" if lag.group else f"; {key} has one series each"
        self.problems.add(second, lag.time, Mistake("equal times", text, hint))
        self.problems.raise_if_any()
        raise error


def fill(
    table: Table,
    columns: Sequence[Cells],
    problems: Problems,
    history: History,
    leaving: Container[str] = (),
) -> tuple[int, list[int], str]:
    """Read all rows into columns; those that lack a value in one to be left out go to no other.

    Returns: The number of rows, the places of those left out, and why the rest cannot be read.
    """
    wanted = {column.name: True for column in (*columns, *history.cells)}
    for column in (*columns, *history.cells):
        wanted[column.name] &= column.of_numbers
    words = table.tell([*columns, *history.cells])
    needed = [column for column in columns if column.name in leaving]
    count, left_out = 0, list[int]()
    refuse_if_too_big(8 * (table.rows_known or 0) * len(wanted), str(table.path))
    parts = while_there_is_room(
        table.parts(wanted, problems), lambda part: part.size, str(table.path)
    )
    try:
        for part in parts:
            part = part.marked(words) if words else part  # noqa: PLW2901  # nobody wants the other
            kept = np.ones(len(part), np.bool_)
            for column in needed:
                kept &= ~part.columns[column.name].where(column.is_missing)
            history.extend(part, count)
            left_out += (count + np.flatnonzero(~kept)).tolist()
            count += len(part)
            lines = np.asarray(part.lines)[kept]
            for column in columns:
                cells = part.columns[column.name]
                column.extend(cells if kept.all() else cells.taken(kept), lines)
    except DataError as error:
        return count, left_out, str(error)
    return count, left_out, ""


def rows_before(count: int) -> str:
    """This many rows before another one, in words."""
    return "row before it" if count == 1 else f"{count} rows before it"


def with_lags(dataset: Dataset, history: History) -> Dataset:
    """The data set with the lags as its last features, without rows that lack one.

    Raises: DatasetProblem if no row has all.
    """
    count = len(dataset.y) + len(dataset.dropped)
    file_rows = dataset.row_numbers - 1
    lags = history.features(count)[file_rows]
    series = history.series(count, *dataset.target_names)
    known = ~np.isnan(lags).any(axis=1)
    if not known.any():
        longest = max(step for lag in history.lags for step in lag.steps)
        message = f"no row has the values of the {rows_before(longest)} that are needed"
        raise DatasetProblem([(("dataset", "lags"), message)])
    short = int((~known).sum())
    words = f"{short} more left out for too few earlier rows"

    def kept(values: npt.NDArray[Any] | None) -> Any:
        return None if values is None else values[known]

    return replace(
        dataset,
        x=np.hstack([dataset.x, lags])[known],
        y=dataset.y[known],
        dropped=tuple(sorted({*dataset.dropped, *file_rows[~known].tolist()})),
        split_values=kept(dataset.split_values),
        series=None if series is None else kept(series[file_rows]),
        weights=kept(dataset.weights),
        description=dataset.description.replace(
            f"{len(dataset.y)} rows", f"{len(dataset.y) - short} rows ({words})", 1
        ),
    )
