"""Why nothing can be learned from a column as it is, and whether the names of columns are data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nnrun.data.labels import number
from nnrun.data.readers.profile import ColumnProfile

_REASONS = {
    "constant": "the same in every row",
    "counter": "a counter of the rows",
    "unnamed": "numbers without a name, as those of rows",
    "date": "a date",
    "undated": "dates and other text",
    "mixed": "numbers and other text",
    "identifier": "a value of its own in most rows: it seems to be an identifier",
    "empty": "blank in every row",
    "category": "the same in every row that is not blank",
    "number": "blank in so many rows that those to train on may have no value",
}


def reason(column: ColumnProfile) -> str:
    """The end of a sentence; of columns that hold several things with the first odd cell."""
    if column.kind in ("code", "text"):
        what = "a code with zeros in front" if column.kind == "code" else "text"
        return f"{what} with {column.different:,} different values, many for {column.rows:,} rows"
    if column.kind == "mixed" and column.numbers == column.rows - column.missing - 1:
        where = f"{column.odd!r} in line {column.odd_line}"  # such as 'Total' below the rows
        return f"numbers, but for {where}; without it, they can be used"
    odd = {
        "mixed": (column.odd, column.odd_line),
        "undated": (column.evidence.odd, column.evidence.line),
    }
    text, line = odd.get(column.kind, ("", 0))
    return _REASONS[column.kind] + (f", such as {text!r} in line {line}" if text else "")


def data_as_names(columns: Sequence[ColumnProfile]) -> list[str]:
    """The names that seem to be data: all that are numbers, if each is among those below it.

    Names in order, as years and wavelengths are, do not count, nor does a single one.
    """
    found = [(column, value) for column in columns if (value := number(column.name)) is not None]
    steps = {after > before for (_, before), (_, after) in pairwise(found)}
    among = all(column.low <= value <= column.high for column, value in found)
    return [column.name for column, _ in found] if among and len(steps) > 1 else []
