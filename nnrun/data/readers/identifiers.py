"""Columns whose values name rows, and say nothing about others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnrun.characters import escaped
from nnrun.data.cells.labels import LabelCells
from nnrun.data.cells.part import Cells
from nnrun.data.dataset import DatasetProblem, Key

FEWEST = 1000
"""Among fewer different values, a column of categories is never refused."""


def names_rows(different: int, rows: int, fewest: int = FEWEST) -> bool:
    """Whether a column has a value of its own in more than half of the rows."""
    return different > max(fewest, rows / 2)


def refuse_identifiers(cells: Sequence[Cells], categories: Mapping[str, Sequence[str]]) -> None:
    """Refuse categories that are identifiers, before there is a feature for each.

    Args:
        cells: of all columns.
        categories: columns by the key that names them.

    Raises: DatasetProblem with all of them.
    """
    read = {one.name: one for one in cells if isinstance(one, LabelCells)}
    found: list[tuple[Key, str]] = []
    for key, names in categories.items():
        for position, name in enumerate(names):
            different, rows = len(read[name].numbers), len(read[name].values)
            if names_rows(different, rows):
                place: Key = ("dataset", "columns", key, name if key == "embedding" else position)
                message = (
                    f"'{name}' has {different:,} different values in {rows:,} rows: it seems to be "
                    "an identifier, which new rows do not share; leave it out with columns.drop"
                )
                found.append((place, escaped(message, kept="")))
    if found:
        raise DatasetProblem(found)
