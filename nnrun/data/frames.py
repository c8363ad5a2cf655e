"""Rows of a DataFrame, matched by the names of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnrun.data.cells import Problems, TableProblems
from nnrun.data.inputs import input_column
from nnrun.data.layout import Layout
from nnrun.errors import DataError
from nnrun.nn.signature import Array
from nnrun.suggestions import nearest

_SHOWN = 8


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
        raise DataError(_lacking(missing, names))
    problems = TableProblems()
    columns = dict(zip(names, frame.columns, strict=True))
    parts = [_column(name, frame[columns[name]], layout, problems) for name in features]
    problems.raise_if_any()
    return np.hstack(parts)


def _lacking(missing: Sequence[str], names: Sequence[str]) -> str:
    """Which columns are missing, what of those that are there may be meant, or else all these."""
    shown = [f"'{name}'" for name in missing[:_SHOWN]]
    more = [f"{len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else []
    near = dict.fromkeys(filter(None, (nearest(name, names) for name in missing)))
    meant = "did you mean " + ", ".join(f"'{name}'" for name in near) + "?"
    there = f"its columns are {', '.join(names[:_SHOWN])}" + ", …" * (len(names) > _SHOWN)
    return f"the table has no column {', '.join(shown + more)}; {meant if near else there}"


def _column(name: str, values: Any, layout: Layout, problems: Problems) -> Array:
    cells = np.asarray(values)
    categories = layout.columns.categories.get(name)
    if categories is None and cells.dtype.kind in "buif" and np.isfinite(cells).all():
        return cells.astype(np.float64)[:, None]
    column = input_column(name, layout.columns, problems, decimal=".")
    for row, cell in enumerate(cells.tolist()):
        column.add("" if cell is None else str(cell), row)
    return np.zeros((len(cells), 0)) if problems else column.features()
