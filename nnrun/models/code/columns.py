"""What a model does with encoded features of columns before its preprocessing, as script lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from nnrun.data.columns.embedding import Embedding
from nnrun.data.columns.one_hot import OneHot
from nnrun.data.columns.target_mean import TargetMean
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
    "check_number": '''
def check_number(h, place, entries, column):
    """Refuse rows whose number in a column is not one of a category."""
    if not ((h[:, place] >= 0) & (h[:, place] < entries) & (h[:, place] % 1 == 0)).all():
        raise ValueError(f"a row has no number of a category of {column!r}")
''',
    "fill_category": '''
def fill_category(h, first, end, missing):
    """Rows with 0 in all one-hot columns of a column get the one that stands for that."""
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


def notes(columns: Columns) -> Iterator[str]:
    """What numbers in raw rows have to do with categories, a sentence for each such column."""
    for column in columns:
        if isinstance(column, Embedding):
            numbers = f"the place of a category in CATEGORIES[{column.name!r}]"
            yield f"{column.name} is {numbers}, {column.entries - 1} for all others."
        elif isinstance(column, TargetMean):
            means = f"MEANS[{column.name!r}]: of each of its CATEGORIES, then of all others"
            yield f"Means of the target for {column.name} are {means}."


def _one_hot(column: OneHot, places: range) -> list[str]:
    extent = f"{places.start}, {places.stop}"
    if column.refuses:
        return [f"check_category(h, {extent}, {column.name!r})"]
    if column.absent is None:
        return []
    return [f"h = fill_category(h, {extent}, {places[column.absent]})"]


def _embedding(column: Embedding, places: range) -> list[str]:
    return [f"check_number(h, {places.start}, {column.entries}, {column.name!r})"]


def _nothing(column: Any, places: range) -> list[str]:
    return []


EMITTERS: dict[str, Emitter] = {
    "number": _nothing,
    "date": _nothing,
    "lag": _nothing,
    "one_hot": _one_hot,
    "embedding": _embedding,
    "target_mean": _nothing,
}
