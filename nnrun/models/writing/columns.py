"""The columns of a table of predictions, and their cells."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np

from nnrun.characters import escaped
from nnrun.data.labels import number
from nnrun.errors import UsageError
from nnrun.models.model import Model
from nnrun.nn.signature import Array
from nnrun.spreadsheet import cell, quoted


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
