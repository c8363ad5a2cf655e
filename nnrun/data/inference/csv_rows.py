"""New rows from a table; columns are found by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.cells.cell_errors import Mistake
from nnrun.data.cells.labels import LabelCells
from nnrun.data.cells.numbers import NumberCells
from nnrun.data.cells.problems import Problems
from nnrun.data.inference.carried import check_named, texts
from nnrun.data.inference.columns import RowBatch
from nnrun.data.inference.put_aside import BadRows, CsvAside
from nnrun.data.layout import Layout
from nnrun.data.readers.opening import disk_errors
from nnrun.data.readers.table import fill, joined, readers
from nnrun.data.readers.tables.table import Table
from nnrun.errors import DataError
from nnrun.suggestions import MAX_LISTED, nearest

NumberedRow = tuple[int, list[str]]
"""The cells of a row, with the number of its first line."""


class CsvRows:
    """`Rows` of a table; mistakes are reported with their places, in text as path:line:column.

    Rows with mistakes are written to `aside` and left out, if it is given.
    """

    kind: Literal["csv", "npz"] = "csv"

    def __init__(
        self,
        table: Table,
        layout: Layout,
        *,
        with_target: bool,
        carried: Sequence[str] = (),
        aside: BinaryIO | None = None,
    ) -> None:
        self.path = table.path
        self.layout = layout
        self.with_target = with_target
        self.table = table
        header, features = table.header, layout.columns.features
        missing = {name: "" for name in features if name not in header}
        if with_target:
            missing |= {n: ", the target" for n in layout.target_names if n not in header}
        if missing:
            raise DataError("\n".join(_missing(table.path, missing, header)))
        check_named(f"{table.path}:1", carried, header)
        used = {*features, *layout.target_names, *carried}
        self.ignored = tuple(name for name in header if name not in used)
        self.bad = BadRows(table.path)
        self._aside = None if aside is None else CsvAside(aside, table)
        self.carried = [header.index(name) for name in carried]

    def batches(self, rows: int) -> Iterator[RowBatch]:
        return self._all(rows) if self._aside is None else self._good(rows, self._aside)

    @property
    def _numbers(self) -> set[str]:
        """The columns that are read as numbers."""
        problems = self.table.problems()
        cells = [*readers(self.layout.columns, problems), *self.targets(problems)]
        return {one.name for one in cells if one.of_numbers}

    def _all(self, rows: int) -> Iterator[RowBatch]:
        problems, end = self.table.problems(), ""
        lines = self.table.rows(self._numbers)
        while not end:
            batch = _Batch(self, problems)
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
                batch = _Batch(self, self.table.problems())
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
        _Batch(self, self.bad).read(sound)
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
        return [NumberCells(name, problems, "input", decimal=decimal) for name in names]


class _Batch:
    """Rows while they are read."""

    def __init__(self, source: CsvRows, problems: Problems) -> None:
        self.source = source
        self.problems = problems
        self.features = readers(source.layout.columns, problems)
        self.targets = source.targets(problems)
        self.carried: list[list[str]] = [[] for _ in source.carried]
        self.count = 0

    def read(self, rows: Iterable[NumberedRow]) -> None:
        """Read rows; it can be done once."""
        rows = self._noting(rows) if self.carried else rows
        header, columns = self.source.table.header, [*self.features, *self.targets]
        self.count, _ = fill(rows, header, columns, self.problems)

    def _noting(self, rows: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
        width = len(self.source.table.header)
        for line, cells in rows:
            if len(cells) == width:
                for place, column in zip(self.source.carried, self.carried, strict=True):
                    column.append(cells[place])
            yield line, cells

    def encoded(self) -> RowBatch:
        """The rows, if there are no mistakes."""
        source = self.source
        x = joined(source.layout.columns.every, self.features, self.count, source.path)
        carried = tuple(texts(cells) for cells in self.carried)
        return RowBatch(x.reshape(-1, *source.layout.shape), self._y(), carried)

    def _y(self) -> npt.NDArray[Any] | None:
        targets = self.targets
        if not targets:
            return None
        if isinstance(targets[0], LabelCells):
            return targets[0].positions()
        return np.concatenate([column.features() for column in targets], axis=1)


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
