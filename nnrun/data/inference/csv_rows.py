"""New rows from a table; columns are found by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.cells.labels import LabelCells
from nnrun.data.cells.numbers import NumberCells
from nnrun.data.cells.problems import Problems
from nnrun.data.inference.columns import RowBatch
from nnrun.data.layout import Layout
from nnrun.data.readers.opening import disk_errors
from nnrun.data.readers.table import fill, joined, readers
from nnrun.data.readers.tables.table import Table
from nnrun.errors import DataError
from nnrun.suggestions import MAX_LISTED, nearest


class CsvRows:
    """`Rows` of a table; mistakes are reported with their places, in text as path:line:column."""

    kind: Literal["csv", "npz"] = "csv"

    def __init__(self, table: Table, layout: Layout, *, with_target: bool) -> None:
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
        self.ignored = tuple(n for n in header if n not in (*features, *layout.target_names))

    def batches(self, rows: int) -> Iterator[RowBatch]:
        problems, end = self.table.problems(), ""
        columns = self.layout.columns
        cells = [*readers(columns, problems), *self._targets(problems)]
        lines = self.table.rows({one.name for one in cells if one.of_numbers})
        while not end:
            features, targets = readers(columns, problems), self._targets(problems)
            count = 0
            try:
                with disk_errors(self.path):
                    part = islice(lines, rows)
                    count, _ = fill(part, self.table.header, [*features, *targets], problems)
            except DataError as error:  # the rest cannot be read
                end = str(error)
            if not count:
                break
            if not problems:  # else the rest is only checked for further mistakes
                x = joined(columns.every, features, count, self.path)
                yield RowBatch(x.reshape(-1, *self.layout.shape), self._y(targets))
        problems.raise_if_any(end)

    def _targets(self, problems: Problems) -> list[NumberCells | LabelCells]:
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

    @staticmethod
    def _y(targets: Sequence[NumberCells | LabelCells]) -> npt.NDArray[Any] | None:
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
