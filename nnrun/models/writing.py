"""A table of predictions: its columns, and the formats of its files."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from json import JSONEncoder
from typing import Any, BinaryIO, Self

import numpy as np

from nnrun.characters import cell, escaped, hidden_escaped, quoted
from nnrun.data.inference.put_aside import NpzArrays
from nnrun.data.labels import number
from nnrun.errors import UsageError
from nnrun.models.model import Model
from nnrun.nn.signature import Array


def prediction_names(model: Model) -> list[str]:
    """`prediction`, or `prediction_<target>` for several values; `p_<class>` of probabilities."""
    names = ["prediction"]
    if model.layout.task == "regression" and len(model.layout.target_names) > 1:
        names = [f"prediction_{target}" for target in model.layout.target_names]
    if model.probabilistic:
        names += [f"p_{label}" for label in model.layout.classes]
    return names


def prediction_columns(model: Model, outputs: Array) -> list[Array]:
    """The values under these names, each (rows,), from the network's outputs."""
    predictions = model.decode(outputs)
    if model.layout.classes:
        predictions = spelled(predictions)
    columns = list(predictions.T) if predictions.ndim > 1 else [predictions]
    if model.probabilistic:
        columns += list(model.probabilities(outputs).T)
    return columns


def spelled(labels: Array) -> Array:
    """Labels as the names of their columns spell them: 9, and not 9.0, beside 2.5."""
    if labels.dtype.kind != "f":
        return labels
    numbers = labels.tolist()
    return np.array([int(n) if n.is_integer() else n for n in numbers], dtype=object)


def check_carried(carried: Iterable[str], names: Container[str]) -> None:
    """Raise a UsageError if a column to carry through is called like one of the output."""
    taken = next((name for name in carried if name in names), None)
    if taken is not None:
        raise UsageError(
            f"--id {escaped(taken, kept='')}: the predictions have a column of this name; give "
            "that of the input another one"
        )


def csv_lines(columns: Iterable[Sequence[str]]) -> str:
    """Columns of cells as lines of a CSV file."""
    return "".join(f"{','.join(row)}\n" for row in zip(*columns, strict=True))


def cells(column: Array) -> list[str]:
    """Cells of a CSV file: numbers in their shortest exact form, labels as `label_cells` does."""
    if column.dtype.kind in "OUS":
        return label_cells(column.tolist())
    return list(map(str, column if column.dtype == np.float32 else column.tolist()))


def label_cells(labels: Sequence[Any]) -> list[str]:
    """Cells with labels, as `label_text` has them."""
    shown = {label: quoted(label_text(label)) for label in {*labels}}
    return [shown[label] for label in labels]


def label_text(label: Any) -> str:
    """A label as text that spreadsheets do not run as a formula."""
    is_number = not isinstance(label, str) or number(label) is not None
    return str(label if is_number else cell(label))


def carried_cells(column: Array) -> list[str]:
    """Cells with what the input has, unchanged."""
    if column.dtype.kind in "OU":
        return list(map(quoted, column.tolist()))
    return cells(column)


def json_values(column: Array) -> list[Any]:
    """The same as values of JSON, which has no NaN and no infinities: they become null."""
    if column.dtype.kind != "f":
        values: list[Any] = column.tolist()
        return values
    return [value if np.isfinite(value) else None for value in map(float, map(str, column))]


# The formats that predictions are written in.

_encode = JSONEncoder(allow_nan=False, ensure_ascii=False, check_circular=False).encode


class Writer:
    """Takes the network's outputs, batch by batch; a context manager, whose exit ends the file.

    Args:
        carried: the names of columns of the input that come before the predictions.

    `not_finite` is the number of predictions so far that are no finite numbers.
    """

    not_finite = 0

    def __init__(self, model: Model, file: BinaryIO, carried: Sequence[str] = ()) -> None:
        self.model = model
        self.file = file
        self.carried = carried

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(complete=kind is None)

    def close(self, *, complete: bool) -> None:
        """Write the end, unless an error has ended the rows."""
        raise NotImplementedError

    def add(self, outputs: Array, carried: Sequence[Array] = ()) -> None:
        """Write the predictions for more rows, and their cells of the carried columns."""
        raise NotImplementedError


class CsvWriter(Writer):
    """The carried columns, then those of `prediction_names`, as a CSV file."""

    _begun = False

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

    def close(self, *, complete: bool) -> None:
        if complete:
            self._begin()

    def _write(self, columns: Sequence[Sequence[str]]) -> None:
        self.file.write(csv_lines(columns).encode())


class JsonWriter(Writer):
    """A JSON array with an object for each row, whose keys are the columns of a CSV file.

    Numbers that are not finite are null.
    """

    def __init__(self, model: Model, file: BinaryIO, carried: Sequence[str] = ()) -> None:
        super().__init__(model, file, carried)
        self.rows = JsonRows(file, [*carried, *prediction_names(model)])

    def add(self, outputs: Array, carried: Sequence[Array] = ()) -> None:
        self.rows.add([*carried, *prediction_columns(self.model, outputs)])

    def close(self, *, complete: bool) -> None:
        if complete:
            self.rows.close()


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


class NpzWriter(Writer):
    """The carried columns, the array `prediction` and, with probabilities, `probability`."""

    names = ("prediction", "probability")

    def __enter__(self) -> Self:
        self._arrays = NpzArrays(self.file)
        empty = np.empty((0, *self.model.network.output_shape), self.model.network.dtype)
        self.add(empty, [np.empty(0, "U1") for _ in self.carried])
        return self

    def add(self, outputs: Array, carried: Sequence[Array] = ()) -> None:
        arrays = dict(zip(self.carried, carried, strict=True))
        arrays["prediction"] = self.model.decode(outputs)
        if self.model.probabilistic:
            arrays["probability"] = self.model.probabilities(outputs)
        self._arrays.add(arrays)

    def close(self, *, complete: bool) -> None:
        self._arrays.close(complete=complete)


WRITERS: dict[str, type[Writer]] = {"csv": CsvWriter, "npz": NpzWriter, "json": JsonWriter}


def output_names(model: Model, kind: str) -> list[str]:
    """The names that an output of this format has, which carried columns cannot have."""
    return list(NpzWriter.names) if kind == "npz" else prediction_names(model)
