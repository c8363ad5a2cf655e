"""Arrays as rows of numbers, shortened where they are large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

import numpy as np
from rich.text import Text

from nnrun.explain.numerical import shown
from nnrun.nn.signature import Array, shape_text
from nnrun.reports.numbers import number

_GAP = "  "
_MORE = "…"
# Of a stack of matrices, such as channels, so many are shown.
_MATRICES = 2
# Of longer lines, fewer columns are shown.
_WIDEST = 80


def matrix_lines(name: str, array: Array, *, full: bool = False) -> Iterator[Text]:
    """A heading with the shape, then the numbers; what is left out is a `…`.

    Args:
        name: of the array.
        array: of any number of dimensions: with more than two, matrices one below the other.
        full: whether to show all numbers.
    """
    yield Text.assemble((name, "bold"), f"  {shape_text(array.shape)}")
    if array.ndim <= 2:
        yield from _matrix(np.atleast_2d(array), full)
        return
    stack = array.reshape(-1, *array.shape[-2:])
    indices = list(np.ndindex(*array.shape[:-2]))
    many = len(stack) if full else min(len(stack), _MATRICES)
    for index, matrix in zip(indices[:many], stack, strict=False):
        if len(stack) > 1:
            yield Text(f"  [{', '.join(map(str, index))}]", "dim")
        yield from _matrix(matrix, full)
    if len(stack) > many:
        yield Text(f"  {_MORE} and {len(stack) - many:,} more of {shape_text(matrix.shape)}", "dim")


def _matrix(matrix: Array, full: bool) -> Iterator[Text]:
    rows, columns = (list(range(n)) if full else shown(n) for n in matrix.shape)
    lines = _lines(matrix, rows, columns)
    while not full and len(columns) > 2 and max(map(len, lines)) > _WIDEST:
        half = (len(columns) - 1) // 2
        columns = [*columns[:half], *columns[-half:]]
        lines = _lines(matrix, rows, columns)
    for place, line in enumerate(lines):
        if place and rows[place] != rows[place - 1] + 1:
            yield Text(f"  {_MORE}")
        yield Text(line)


def _lines(matrix: Array, rows: Sequence[int], columns: Sequence[int]) -> list[str]:
    cells = [[number_text(float(matrix[row, column])) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  " + _joined(line, widths, columns) for line in cells]


def _joined(cells: Sequence[str], widths: Sequence[int], columns: Sequence[int]) -> str:
    found = ""
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        if place and columns[place] != columns[place - 1] + 1:
            found += f"{_MORE}{_GAP}"
        found += f"{cell:>{width}}{_GAP}"
    return found.rstrip()


def number_text(value: float) -> str:
    """Whole numbers as they are, others in four digits; – for what is not computed."""
    if isfinite(value) and value == round(value) and abs(value) < 1e6:
        return f"{value + 0.0:,.0f}"
    return number(value)
