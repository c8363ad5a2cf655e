"""New rows of a network that takes values of earlier rows, which are in the same file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, NoReturn

import numpy as np

from nnrun.data.cells.part import Cells
from nnrun.data.cells.problems import Problems
from nnrun.data.inference.columns import RowBatch
from nnrun.data.inference.csv_rows import Batch, CsvRows
from nnrun.data.readers.history import History, fill, rows_before
from nnrun.data.readers.opening import disk_errors
from nnrun.errors import DataError, UsageError


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
            )

    def _history(self, problems: Problems, read: Sequence[Cells] = ()) -> History:
        columns = self.layout.columns
        return History(columns.every, problems, columns.decimal, "input", read)
