"""The formats that predictions are written in."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from nnrun.models.model import Model
from nnrun.models.writing.columns import prediction_names
from nnrun.models.writing.csv_file import CsvWriter
from nnrun.models.writing.json_file import JsonWriter
from nnrun.models.writing.npz_file import NpzWriter
from nnrun.nn.signature import Array


class Writer(Protocol):
    """Takes the network's outputs, batch by batch; a context manager, whose exit closes it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def add(self, outputs: Array, carried: Sequence[Array] = ()) -> None:
        """Write the predictions for more rows, and their cells of the carried columns."""


WRITERS: dict[str, type[CsvWriter] | type[NpzWriter] | type[JsonWriter]] = {
    "csv": CsvWriter,
    "npz": NpzWriter,
    "json": JsonWriter,
}


def output_names(model: Model, kind: str) -> list[str]:
    """The names that an output of this format has, which carried columns cannot have."""
    return list(NpzWriter.names) if kind == "npz" else prediction_names(model)
