"""An explained update as lines for the terminal; large arrays are shortened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import RenderableType, group
from rich.rule import Rule
from rich.text import Text

from nnrun.characters import clean
from nnrun.explain.numerical import shown
from nnrun.explain.update import Explanation
from nnrun.nn.signature import Array, shape_text
from nnrun.reports.document import Note
from nnrun.reports.explain.document import number_text, phases
from nnrun.reports.explain.film import FilmLines
from nnrun.reports.terminal.blocks import note


@group()
def explanation(found: Explanation, *, full: bool = False) -> Iterator[RenderableType]:
    """Forward, loss, backward, step: every number, or with `full` every number of large arrays."""
    yield Text.assemble((clean(found.title), "bold"), f"  {found.moment}")
    if found.description:
        yield Text(clean(found.description), style="italic")
    for words in found.notes:
        yield Text(words, style="dim")
    for phase in phases(found):
        yield Text()
        yield Rule(phase.title, align="left")
        for part in phase.parts:
            if part.title:
                yield Text()
                yield Text(part.title, "bold cyan")
            if part.equation:
                yield Text(clean(part.equation), "italic")
            for item in part.items:
                if isinstance(item, Note):
                    yield note(item)
                else:
                    for line in matrix_lines(item.title, item.array, full=full or item.whole):
                        line.no_wrap, line.overflow = True, "ignore"
                        yield line
    if found.film is not None:
        yield Text()
        yield Rule("Over training: the output", align="left")
        yield FilmLines(found.film)


_GAP = "  "
_MORE = "…"
# Of a stack of matrices, such as channels, this many are shown.
_MATRICES = 2
# Of longer lines, fewer columns are shown.
_WIDEST = 80


def matrix_lines(name: str, array: Array, *, full: bool = False) -> Iterator[Text]:
    """A heading with the shape, then the numbers: of more than two dimensions, several matrices.

    What is left out is a `…`; with `full`, nothing is.
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
