"""Whether the first line of a table holds data and no names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nnrun.data.labels import number
from nnrun.data.readers.profile import ColumnProfile


def data_as_names(columns: Sequence[ColumnProfile]) -> list[str]:
    """The names that seem to be data: all that are numbers, if each is among those below it.

    Names in order, as years and wavelengths are, do not count, nor does a single one.
    """
    found = [(column, value) for column in columns if (value := number(column.name)) is not None]
    steps = {after > before for (_, before), (_, after) in pairwise(found)}
    among = all(column.low <= value <= column.high for column, value in found)
    return [column.name for column, _ in found] if among and len(steps) > 1 else []
