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
from nnrun.models.coverage import Promise
from nnrun.models.model import Model
from nnrun.nn.signature import Array


def prediction_names(model: Model, promise: Promise | None = None) -> list[str]:
    """`prediction`, or `prediction_<target>` for several values; `p_<class>` of probabilities.

    With a promise also `low` and `high`, or `low_<target>` and so on, or `set`.
    """
    several = model.layout.task == "regression" and len(model.layout.target_names) > 1
    ends = [f"_{target}" for target in model.layout.target_names] if several else [""]
    names = [f"prediction{end}" for end in ends]
    if promise is not None:
        heads = ("set",) if model.layout.classes else ("low", "high")
        names += [f"{head}{end}" for head in heads for end in ends]
    if model.probabilistic:
        names += [f"p_{label}" for label in model.layout.classes]
    return names


def prediction_columns(
    model: Model,
    outputs: Array,
    promise: Promise | None = None,
    variance: Array | None = None,
) -> list[Array]:
    """The values under these names, each (rows,), from what `Model.evaluate_each` returns."""
    predictions = model.decode(outputs)
    values = [spelled(predictions) if model.layout.classes else predictions]
    if promise is not None:
        covered = model.covered(outputs, variance, promise)
        values += [end for end in (covered.low, covered.high, covered.set) if end is not None]
    columns = [column for part in values for column in (part.T if part.ndim > 1 else [part])]
    if model.probabilistic:
        columns += list(model.probabilities(outputs).T)
    return columns


def spelled(labels: Array) -> Array:
    """Labels as the names of their columns spell them: 9, and not 9.0, beside 2.5."""
    if labels.dtype.kind != "f":
        return labels
    numbers = labels.tolist()
    return np.array([int(n) if n.is_integer() else n for n in numbers], dtype=object)


SEPARATOR = "; "
"""Between the labels of a set in a cell of a CSV file."""


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


def set_parts(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Labels as the first one of several in a cell, which no spreadsheet runs, and as others."""
    others = [escaped(label, "") for label in labels]
    return [str(cell(other + SEPARATOR)).removesuffix(SEPARATOR) for other in others], others


def label_text(label: Any) -> str:
    """A label as text that spreadsheets do not run as a formula; of several, one after another."""
    if isinstance(label, tuple):
        labels = spelled(np.array(label)).tolist()
        if len(labels) == 1:
            return label_text(labels[0])
        (first, _), *others = zip(*set_parts([*map(str, labels)]), strict=True)
        return SEPARATOR.join([first, *(other for _, other in others)])
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
        promise: what the intervals or sets have to hold that come with the predictions, if any do.

    `not_finite` is the number of predictions so far that are no finite numbers.
    """

    not_finite = 0

    def __init__(
        self,
        model: Model,
        file: BinaryIO,
        carried: Sequence[str] = (),
        promise: Promise | None = None,
    ) -> None:
        self.model = model
        self.file = file
        self.carried = carried
        self.promise = promise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(complete=kind is None)

    def close(self, *, complete: bool) -> None:
        """Write the end, unless an error has ended the rows."""
        raise NotImplementedError

    def add(
        self, outputs: Array, carried: Sequence[Array] = (), variance: Array | None = None
    ) -> None:
        """Write the predictions for more rows, and their cells of the carried columns.

        `outputs` and `variance` are what `Model.evaluate_each` returns.
        """
        raise NotImplementedError


class CsvWriter(Writer):
    """The carried columns, then those of `prediction_names`, as a CSV file."""

    _begun = False

    def _begin(self) -> None:
        """Write the header, with the first rows: if these cannot be read, nothing is written."""
        if self._begun:
            return
        self._begun = True
        header = [*self.carried, *map(escaped, prediction_names(self.model, self.promise))]
        self._write([[quoted(name)] for name in header])

    def add(
        self, outputs: Array, carried: Sequence[Array] = (), variance: Array | None = None
    ) -> None:
        self._begin()
        found = prediction_columns(self.model, outputs, self.promise, variance)
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

    def __init__(
        self,
        model: Model,
        file: BinaryIO,
        carried: Sequence[str] = (),
        promise: Promise | None = None,
    ) -> None:
        super().__init__(model, file, carried, promise)
        self.rows = JsonRows(file, [*carried, *prediction_names(model, promise)])

    def add(
        self, outputs: Array, carried: Sequence[Array] = (), variance: Array | None = None
    ) -> None:
        found = prediction_columns(self.model, outputs, self.promise, variance)
        self.rows.add([*carried, *found])

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
    """The carried columns, the array `prediction` and, with probabilities, `probability`.

    With a promise also `low` and `high`, or `set`: whether each class is in it, (rows, classes).
    """

    names = ("prediction", "low", "high", "set", "probability")

    def __enter__(self) -> Self:
        self._arrays = NpzArrays(self.file)
        empty = np.empty((0, *self.model.network.output_shape), self.model.network.dtype)
        variance = np.empty(empty.shape)
        self.add(empty, [np.empty(0, "U1") for _ in self.carried], variance)
        return self

    def add(
        self, outputs: Array, carried: Sequence[Array] = (), variance: Array | None = None
    ) -> None:
        arrays = dict(zip(self.carried, carried, strict=True))
        arrays["prediction"] = self.model.decode(outputs)
        if self.promise is not None and self.model.errors is not None:
            covered = self.model.covered(outputs, variance, self.promise)
            if covered.low is not None and covered.high is not None:
                arrays |= {"low": covered.low, "high": covered.high}
            else:
                probabilities = self.model.probabilities(outputs, own=True)
                arrays["set"] = self.model.errors.sets(probabilities, self.promise)
        if self.model.probabilistic:
            arrays["probability"] = self.model.probabilities(outputs)
        self._arrays.add(arrays)

    def close(self, *, complete: bool) -> None:
        self._arrays.close(complete=complete)


WRITERS: dict[str, type[Writer]] = {"csv": CsvWriter, "npz": NpzWriter, "json": JsonWriter}


def output_names(model: Model, kind: str, promise: Promise | None = None) -> list[str]:
    """The names that an output of this format has, which carried columns cannot have."""
    return list(NpzWriter.names) if kind == "npz" else prediction_names(model, promise)
