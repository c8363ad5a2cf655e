"""Rows of a table in memory: a DataFrame, or an array of text."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnrun.characters import escaped
from nnrun.data.cells.problems import IN_MEMORY, Problems
from nnrun.data.columns.column import Column
from nnrun.data.inference.columns import UnknownCategoryWarning, about_unseen
from nnrun.data.inference.put_aside import BadRows
from nnrun.data.layout import Layout
from nnrun.errors import DataError
from nnrun.nn.signature import Array
from nnrun.suggestions import nearest

_SHOWN = 8


def table_rows(x: Any, layout: Layout) -> Array | None:
    """Rows (rows, features), encoded as in training, of a table or an array of cells.

    A table has `columns`, and a column under each name, as tables of pandas and polars have;
    columns that are not features are ignored. If training had columns that are not numbers, an
    array, or a table whose columns have no names, may be of text or objects, (rows, columns), with
    its columns in the order of training.

    Returns: None for other arrays.
    Raises: DataError for missing columns and wrong cells, each with its row, counted from 0.
    """
    values = _cells(x, layout)
    return None if values is None else _encoded(values, layout)


def sound_rows(x: Any, layout: Layout) -> tuple[Array | None, dict[int, str]]:
    """The rows without wrong cells, and what is wrong with the others, by row.

    Like `table_rows`, None for other arrays.

    Raises: DataError for missing columns, or if all rows are wrong.
    """
    values = _cells(x, layout)
    if values is None:
        return None, {}
    bad = BadRows("the table", IN_MEMORY)
    _read(values, layout, bad)
    reasons = {row: "; ".join(found) for row, found in bad.take().items()}
    rows = len(next(iter(values.values())))
    bad.refuse_all(rows)
    kept = np.delete(np.arange(rows), list(reasons))
    good = {name: np.asarray(cells)[kept] for name, cells in values.items()}
    return _encoded(good, layout), reasons


def _cells(x: Any, layout: Layout) -> dict[str, Any] | None:
    """The cells of each column; None for an array of numbers."""
    if hasattr(x, "columns"):
        return _frame_cells(x, layout)
    cells = None if layout.columns.plain else np.asarray(x)
    if cells is None or cells.ndim != 2 or cells.dtype.kind not in "OU":
        return None
    return _array_cells(cells, layout)


def _frame_cells(frame: Any, layout: Layout) -> dict[str, Any] | None:
    names = [str(name) for name in frame.columns]
    features = layout.columns.features
    if not features or not any(isinstance(name, str) for name in frame.columns):
        return _cells(np.asarray(frame), layout)
    missing = [name for name in features if name not in names]
    if missing:
        raise DataError(_lacking(missing, names))
    columns = dict(zip(names, frame.columns, strict=True))
    return {name: frame[columns[name]] for name in features}


def _array_cells(cells: Array, layout: Layout) -> dict[str, Any]:
    features = layout.columns.features
    if cells.shape[1] != len(features):
        given = f"rows of {cells.shape[1]} cells were given"
        more = ", …" * (len(features) > _SHOWN)
        raise DataError(f"{given} where the columns are {', '.join(features[:_SHOWN])}{more}")
    return dict(zip(features, cells.T, strict=True))


def _encoded(values: Mapping[str, Any], layout: Layout) -> Array:
    problems = Problems("the table", form=IN_MEMORY)
    read = _read(values, layout, problems)
    problems.raise_if_any()
    for text in about_unseen(layout.columns, problems.unseen):
        warnings.warn(text, UnknownCategoryWarning, stacklevel=_level_outside())
    return np.hstack([column.encode(cells) for column, cells in read])


def _level_outside() -> int:
    """The stack level, from the caller on, of the code that called nnrun."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals["__name__"].partition(".")[0] == "nnrun":
        frame, level = frame.f_back, level + 1
    return level


def _read(
    values: Mapping[str, Any], layout: Layout, problems: Problems
) -> list[tuple[Column, Any]]:
    read = []
    for column in layout.columns:
        cells = column.reader(problems, decimal=".")
        column.read_values(cells, _array(values[column.source]), layout.columns.decimal)
        read.append((column, cells))
    return read


def _array(values: Any) -> Array:
    """A column as an array; dates with a time zone as objects, since NumPy has no zones."""
    zone = getattr(getattr(values, "dtype", None), "time_zone", None)  # of polars
    return np.asarray(values) if zone is None else np.array(list(values), object)


def _lacking(missing: Sequence[str], names: Sequence[str]) -> str:
    """A message with the missing columns, and the columns of the table that may be meant."""
    shown = [f"'{name}'" for name in missing[:_SHOWN]]
    more = [f"{len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else []
    near = dict.fromkeys(filter(None, (nearest(name, names) for name in missing)))
    meant = "did you mean " + ", ".join(f"'{name}'" for name in near) + "?"
    there = f"its columns are {', '.join(names[:_SHOWN])}" + ", …" * (len(names) > _SHOWN)
    text = f"the table has no column {', '.join(shown + more)}; {meant if near else there}"
    return escaped(text, kept="")
