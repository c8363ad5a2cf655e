"""New rows, and their columns, which are read like those of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.layout import Columns
from nnrun.data.readers.columns import MISSING, LabelColumn, NumberColumn, Problems
from nnrun.nn.signature import Array


@dataclass(frozen=True, eq=False)
class RowBatch:
    """Consecutive rows.

    x is raw, (rows, *shape); y is as in a data set: class numbers (rows,) or values
    (rows, outputs); None if the target is not read. `carried` has the columns to carry through.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any] | None = None
    carried: tuple[Array, ...] = ()

    def __len__(self) -> int:
        return len(self.x)


def input_column(
    name: str, columns: Columns, problems: Problems, decimal: str
) -> NumberColumn | LabelColumn:
    """An empty column for a feature; values may be missing if training filled them in."""
    categories = columns.categories.get(name)
    if categories is None:
        fills = name in columns.imputed
        return NumberColumn(name, problems, "input", fills=fills, decimal=decimal)
    return LabelColumn(
        name,
        problems,
        categories,
        "input",
        fills=MISSING in categories,
        by_value=name in columns.by_value,
        decimal=decimal,
    )


def without_missing(x: Array, columns: Columns) -> Array:
    """Rows with 0 in place of NaN in features that preprocessing fills in; x is not changed."""
    places = list(columns.imputed_features)
    if not places:
        return x
    known = x.copy()
    known[:, places] = np.where(np.isnan(x[:, places]), 0, x[:, places])
    return known


def odd_code(x: Array, columns: Columns) -> tuple[int, str] | None:
    """The first row with a number outside [0, 1] in a one-hot column, and a message about it.

    Such a number may be a category that was not encoded.
    """
    if not columns.categories:
        return None
    places = columns.places
    encoded = [place for name in columns.categories for place in places[name]]
    wrong = ~((x[:, encoded] >= 0) & (x[:, encoded] <= 1))
    if not wrong.any():
        return None
    row, index = np.argwhere(wrong)[0]
    name = columns.feature_names[encoded[index]]
    column = next(name for name, place in places.items() if encoded[index] in place)
    what = f"{x[row, encoded[index]]} in the one-hot column '{name}', where 0 and 1 belong"
    hint = f"in a table, '{column}' may hold its categories"
    return int(row), escaped(f"{what}; {hint}", kept="")
