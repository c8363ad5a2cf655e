"""Predictions as a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Self

from nnrun.characters import escaped
from nnrun.models.model import Model
from nnrun.models.writing.columns import (
    carried_cells,
    cells,
    csv_lines,
    prediction_columns,
    prediction_names,
    quoted,
)
from nnrun.nn.signature import Array


class CsvWriter:
    """The carried columns, then those of `prediction_names`."""

    def __init__(self, model: Model, file: BinaryIO, carried: Sequence[str] = ()) -> None:
        self.model = model
        self.file = file
        self.carried = carried
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write the header if there were no rows; nothing else is buffered."""
        if kind is None:
            self._begin()

    def _begin(self) -> None:
        """Write the header, with the first rows: if these cannot be read, nothing is written."""
        if self._begun:
            return
        self._begun = True
        header = [*self.carried, *map(escaped, prediction_names(self.model))]
        self._write([[quoted(name)] for name in header])

    def add(self, outputs: Array, carried: Sequence[Array] = ()) -> None:
        self._begin()
        found = prediction_columns(self.model, outputs)
        self._write([*map(carried_cells, carried), *map(cells, found)])

    def _write(self, columns: Sequence[Sequence[str]]) -> None:
        self.file.write(csv_lines(columns).encode())
