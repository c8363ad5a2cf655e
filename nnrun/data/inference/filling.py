"""Rows of cells read into columns, one row after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nnrun.data.cells.cell_errors import about_width
from nnrun.data.cells.part import Cells
from nnrun.data.cells.problems import Problems
from nnrun.data.readers.history import History


def fill(
    rows: Iterable[tuple[int, list[str]]],
    header: Sequence[str],
    columns: Sequence[Cells],
    problems: Problems,
    history: History | None = None,
) -> int:
    """Read numbered rows of cells, with the names of the header, into the columns.

    Returns: The number of rows read.
    """
    position = {name: index for index, name in enumerate(header)}
    places = [(position[column.name], column) for column in columns]
    width, count = len(header), 0
    for line, cells in rows:
        count += 1
        if len(cells) != width:
            problems.add(line, "", about_width(len(cells), width))
            continue
        if history is not None:
            history.add(cells, position, count - 1, line)
        for place, column in places:
            column.add(cells[place], line)
    return count
