"""Rows of a DataFrame, matched by the names of its columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.data.cells import Problems, TableProblems
from nnrun.data.inputs import input_column
from nnrun.data.layout import Layout
from nnrun.errors import DataError
from nnrun.nn.signature import Array
from nnrun.suggestions import suggestion


def frame_rows(frame: Any, layout: Layout) -> Array:
    """The rows of a table as arrays (rows, features), encoded as in training.

    Args:
        frame: has `columns`, and gives a column by its name, as tables of pandas and polars do;
            columns that are no features are left alone. Without any name, the order counts.
        layout: that of training.

    Raises:
        DataError: columns that are missing, and cells that cannot be used, each with its row,
            counted from 0.
    """
    names = [str(name) for name in frame.columns]
    features = layout.columns.features
    if not features or not any(isinstance(name, str) for name in frame.columns):
        return np.asarray(frame)
    missing = [name for name in features if name not in names]
    if missing:
        lacking = ", ".join(f"'{name}'{suggestion(name, names)}" for name in missing)
        raise DataError(f"the table has no column {lacking}")
    problems = TableProblems()
    columns = dict(zip(names, frame.columns, strict=True))
    parts = [_column(name, frame[columns[name]], layout, problems) for name in features]
    problems.raise_if_any()
    return np.hstack(parts)


def _column(name: str, values: Any, layout: Layout, problems: Problems) -> Array:
    cells = np.asarray(values)
    categories = layout.columns.categories.get(name)
    if categories is None and cells.dtype.kind in "buif" and np.isfinite(cells).all():
        return cells.astype(np.float64)[:, None]
    column = input_column(name, layout.columns, problems, decimal=".")
    for row, cell in enumerate(cells.tolist()):
        column.add("" if cell is None else str(cell), row)
    return np.zeros((len(cells), 0)) if problems else column.features()
