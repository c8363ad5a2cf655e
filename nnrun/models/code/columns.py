"""What a model does with encoded features of columns before its preprocessing, as script lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from nnrun.data.columns.one_hot import OneHot
from nnrun.data.layout import Columns
from nnrun.models.code.layers import SCRIPT
from nnrun.models.emitters import emitter_of

Emitter = Callable[[Any, range], list[str]]
"""From a column and its places in h to lines, which are the same in every library."""

# Helpers of scripts in either library.
CATEGORIES = {
    "check_category": '''
def check_category(h, first, end, column):
    """Refuse rows with 0 in all one-hot columns of a column that none was missing from."""
    if not (h[:, first:end] != 0).any(1).all():
        raise ValueError(f"a row has 0 in all one-hot columns of {column!r}")
''',
    "fill_category": '''
def fill_category(h, first, end, missing):
    """Rows with 0 in all one-hot columns of a column get the one for what is missing."""
    h = 1 * h
    h[~(h[:, first:end] != 0).any(1), missing] = 1
    return h
''',
}


def lines(columns: Columns) -> Iterator[str]:
    """The checks and changes of each column."""
    if not columns.plain:
        for column in columns:
            emitter = emitter_of(EMITTERS, column.kind, SCRIPT)
            yield from emitter(column, columns.places[column.name])


def _one_hot(column: OneHot, places: range) -> list[str]:
    extent = f"{places.start}, {places.stop}"
    if column.missing is None:
        return [f"check_category(h, {extent}, {column.name!r})"]
    return [f"h = fill_category(h, {extent}, {places[column.missing]})"]


def _nothing(column: Any, places: range) -> list[str]:
    return []


EMITTERS: dict[str, Emitter] = {
    "number": _nothing,
    "date": _nothing,
    "lag": _nothing,
    "one_hot": _one_hot,
}
