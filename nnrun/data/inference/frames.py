"""Rows of a table in memory: a DataFrame, or an array of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnrun.characters import escaped
from nnrun.data.cells.problems import TableProblems
from nnrun.data.layout import Layout
from nnrun.errors import DataError
from nnrun.nn.signature import Array
from nnrun.suggestions import nearest

_SHOWN = 8


def raw_rows(x: Any, layout: Layout) -> Any:
    """Rows for a model, from a table with `columns`, or an array.

    If training had columns that are not numbers, the array may be of text or objects, (rows,
    columns), with its columns in the order of training. Anything else is returned as it is. Raises
    as `frame_rows` does.
    """
    if hasattr(x, "columns"):
        return frame_rows(x, layout)
    cells = None if layout.columns.plain else np.asarray(x)
    if cells is None or cells.ndim != 2 or cells.dtype.kind not in "OU":
        return x
    return _array_rows(cells, layout)


def frame_rows(frame: Any, layout: Layout) -> Any:
    """The rows of a table as an array (rows, features), encoded as in training.

    The table has `columns`, and a column under each name, as tables of pandas and polars have;
    columns that are not features are ignored. If no column has a text as its name, their order
    counts.

    Raises: DataError for missing columns and wrong cells, each with its row, counted from 0.
    """
    names = [str(name) for name in frame.columns]
    features = layout.columns.features
    if not features or not any(isinstance(name, str) for name in frame.columns):
        return raw_rows(np.asarray(frame), layout)
    missing = [name for name in features if name not in names]
    if missing:
        raise DataError(_lacking(missing, names))
    columns = dict(zip(names, frame.columns, strict=True))
    return _encoded({name: frame[columns[name]] for name in features}, layout)


def _array_rows(cells: Array, layout: Layout) -> Array:
    features = layout.columns.features
    if cells.shape[1] != len(features):
        given = f"rows of {cells.shape[1]} cells were given"
        more = ", …" * (len(features) > _SHOWN)
        raise DataError(f"{given} where the columns are {', '.join(features[:_SHOWN])}{more}")
    return _encoded(dict(zip(features, cells.T, strict=True)), layout)


def _encoded(values: Mapping[str, Any], layout: Layout) -> Array:
    problems, read = TableProblems(), []
    for column in layout.columns:
        cells = column.reader(problems, decimal=".")
        column.read_values(cells, np.asarray(values[column.source]), layout.columns.decimal)
        read.append((column, cells))
    problems.raise_if_any()
    return np.hstack([column.encode(cells) for column, cells in read])


def _lacking(missing: Sequence[str], names: Sequence[str]) -> str:
    """A message with the missing columns, and the columns of the table that may be meant."""
    shown = [f"'{name}'" for name in missing[:_SHOWN]]
    more = [f"{len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else []
    near = dict.fromkeys(filter(None, (nearest(name, names) for name in missing)))
    meant = "did you mean " + ", ".join(f"'{name}'" for name in near) + "?"
    there = f"its columns are {', '.join(names[:_SHOWN])}" + ", …" * (len(names) > _SHOWN)
    text = f"the table has no column {', '.join(shown + more)}; {meant if near else there}"
    return escaped(text, kept="")
