"""Predictions as a JSON array with an object for each row."""

from __future__ import annotations

from collections.abc import Sequence
from json import JSONEncoder
from typing import BinaryIO, Self

from nnrun.characters import hidden_escaped
from nnrun.models.model import Model
from nnrun.models.writing.columns import json_values, prediction_columns, prediction_names
from nnrun.nn.signature import Array

_encode = JSONEncoder(allow_nan=False, ensure_ascii=False, check_circular=False).encode


class JsonWriter:
    """The keys are the columns of a CSV file; numbers that are not finite are null."""

    def __init__(self, model: Model, file: BinaryIO, carried: Sequence[str] = ()) -> None:
        self.model = model
        self.rows = JsonRows(file, [*carried, *prediction_names(model)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.rows.close()

    def add(self, outputs: Array, carried: Sequence[Array] = ()) -> None:
        self.rows.add([*carried, *prediction_columns(self.model, outputs)])


class JsonRows:
    """An array of objects with these names."""

    def __init__(self, file: BinaryIO, names: Sequence[str]) -> None:
        self.file = file
        self.names = names
        self._before = "[\n"

    def add(self, columns: Sequence[Array]) -> None:
        """Write the rows of columns, each (rows,)."""
        rows = zip(*map(json_values, columns), strict=True)
        lines = [_encode(dict(zip(self.names, row, strict=True))) for row in rows]
        if lines:
            self.file.write(hidden_escaped(self._before + ",\n".join(lines)).encode())
            self._before = ",\n"

    def close(self) -> None:
        """Write the end."""
        self.file.write(b"[]\n" if self._before == "[\n" else b"\n]\n")
