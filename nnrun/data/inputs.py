"""The columns of new rows, which are read as those of training were."""

from __future__ import annotations

from nnrun.data.cells import MISSING, LabelColumn, NumberColumn, Problems
from nnrun.data.layout import Columns


def input_column(
    name: str, columns: Columns, problems: Problems, decimal: str
) -> NumberColumn | LabelColumn:
    """An empty column for the cells of a feature; what was filled in may be missing here too."""
    categories = columns.categories.get(name)
    if categories is None:
        fills = name in columns.imputed
        return NumberColumn(name, problems, "input", fills=fills, decimal=decimal)
    return LabelColumn(name, problems, categories, "input", fills=MISSING in categories)
