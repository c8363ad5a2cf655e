"""Rows of a table in memory: a DataFrame, or an array of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from nnrun.characters import escaped
from nnrun.data.inference.columns import input_column
from nnrun.data.labels import canonical, number
from nnrun.data.layout import Layout
from nnrun.data.readers.cell_errors import Mistake, about_spelling
from nnrun.data.readers.columns import Problems, TableProblems
from nnrun.errors import DataError
from nnrun.nn.signature import Array
from nnrun.suggestions import nearest

_SHOWN = 8
# The texts of pandas for missing values.
_NOTHING = ("nan", "<NA>", "NaT")


def raw_rows(x: Any, layout: Layout) -> Any:
    """Rows for a model, from a table with `columns`, or an array.

    If training had categories, the array may be of text or objects, (rows, columns), with its
    columns in the order of training. Anything else is returned as it is. Raises as `frame_rows`
    does.
    """
    if hasattr(x, "columns"):
        return frame_rows(x, layout)
    cells = np.asarray(x) if layout.columns.categories else None
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


def _encoded(columns: Mapping[str, Any], layout: Layout) -> Array:
    problems = TableProblems()
    parts = [_column(name, values, layout, problems) for name, values in columns.items()]
    problems.raise_if_any()
    return np.hstack(parts)


def _lacking(missing: Sequence[str], names: Sequence[str]) -> str:
    """A message with the missing columns, and the columns of the table that may be meant."""
    shown = [f"'{name}'" for name in missing[:_SHOWN]]
    more = [f"{len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else []
    near = dict.fromkeys(filter(None, (nearest(name, names) for name in missing)))
    meant = "did you mean " + ", ".join(f"'{name}'" for name in near) + "?"
    there = f"its columns are {', '.join(names[:_SHOWN])}" + ", …" * (len(names) > _SHOWN)
    text = f"the table has no column {', '.join(shown + more)}; {meant if near else there}"
    return escaped(text, kept="")


def _column(name: str, values: Any, layout: Layout, problems: Problems) -> Array:
    cells = np.asarray(values)
    categories = layout.columns.categories.get(name)
    if categories is None and cells.dtype.kind in "buif" and np.isfinite(cells).all():
        return cells.astype(np.float64)[:, None]
    column = input_column(name, layout.columns, problems, decimal=".")
    by_value, decimal = name in layout.columns.by_value, layout.columns.decimal
    texts = () if categories is None or by_value else categories
    for row, cell in enumerate(cells.tolist()):
        text = canonical(_text(cell), decimal) if by_value else _text(cell)
        mistake = _about_number(cell, text, texts, decimal) if texts and text else None
        if mistake is None:
            column.add(text, row)
        else:
            problems.add(row, name, mistake)
    return np.zeros((len(cells), 0)) if problems else column.features()


def _text(cell: Any) -> str:
    """The text of a cell, as in a file; blank for a missing value."""
    if isinstance(cell, str):
        return cell
    text = "" if cell is None else str(cell)
    return "" if text in _NOTHING else text


def _about_number(cell: Any, text: str, categories: Sequence[str], decimal: str) -> Mistake | None:
    """What is wrong with a number among categories that are text, None if it is one of them.

    The original text of a number is unknown: 7 may have been read from 7, 007 or 7.0.
    """
    if not isinstance(cell, Real) or isinstance(cell, bool | np.bool_):
        return None
    spellings = [category for category in categories if number(category, decimal) == cell]
    if spellings == [text]:
        return None
    return about_spelling(text, spellings, categories)
