"""Rows with 0 in all one-hot columns of a column: a missing value, or a mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nnrun.characters import escaped
from nnrun.data.layout import Columns
from nnrun.data.readers.cell_errors import about_unknown
from nnrun.data.readers.columns import MISSING
from nnrun.errors import DataError
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class OneHot:
    """The one-hot columns of a categorical column, at these places in a row.

    `missing` is the place of the category for missing values; None if training had none.
    """

    column: str
    places: range
    missing: int | None


def one_hots(columns: Columns) -> list[OneHot]:
    """The one-hot columns of a table, in the order of its columns."""
    groups = []
    places = columns.places if columns.categories else {}
    for column in columns.features:
        categories = columns.categories.get(column)
        if categories is not None:
            at = categories.index(MISSING) if MISSING in categories else None
            missing = None if at is None else places[column][at]
            groups.append(OneHot(column, places[column], missing))
    return groups


def fill_missing(
    x: Array, columns: Columns, place: Callable[[int], str] = "row {}".format
) -> Array:
    """Set the category for missing values in rows with 0 in all one-hot columns of a column.

    x is not changed; `place` names the row at an index of x in errors.

    Raises: DataError if there is such a row, but the column had no missing values in training.
    """
    for group in one_hots(columns):
        empty = ~x[:, group.places.start : group.places.stop].any(axis=1)
        if not empty.any():
            continue
        if group.missing is None:
            known = list(columns.categories[group.column])
            raise DataError(
                f"{place(int(empty.argmax()))} has 0 in all one-hot columns of "
                f"'{escaped(group.column, kept='')}': {about_unknown(MISSING, known).text}"
            )
        x = x.copy()
        x[empty, group.missing] = 1
    return x
