"""An explained update as lines for the terminal; large arrays are shortened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

import numpy as np
from rich.console import RenderableType, group
from rich.rule import Rule
from rich.text import Text

from nnrun.characters import clean
from nnrun.explain.equations import equations, loss_equation, middle_window, optimizer_equation
from nnrun.explain.numerical import shown
from nnrun.explain.trace import LayerTrace, ParameterTrace, UpdateTrace
from nnrun.explain.update import Explanation
from nnrun.nn.gradient_check import TOLERANCE
from nnrun.nn.signature import Array, shape_text
from nnrun.reports.explain.film import FilmLines
from nnrun.reports.numbers import count, number


@group()
def explanation(found: Explanation, *, full: bool = False) -> Iterator[RenderableType]:
    """Forward, loss, backward, step: every number, or with `full` every number of large arrays."""
    yield Text.assemble((clean(found.title), "bold"), f"  {found.moment}")
    if found.description:
        yield Text(clean(found.description), style="italic")
    for note in found.notes:
        yield Text(note, style="dim")
    update = found.update
    yield from _forward(update, full)
    yield from _loss(found, full)
    yield from _backward(update, full)
    yield from _step(update, full)
    if found.film is not None:
        yield from _section("Over training: the output")
        yield FilmLines(found.film)


def layer_title(trace: LayerTrace) -> str:
    """Place, type and shapes: `0 matmul  13 → 13`."""
    before, after = (shape_text(array.shape[1:]) for array in (trace.x, trace.y))
    return f"{trace.place} {trace.layer.type}  {before} → {after}"


def _forward(update: UpdateTrace, full: bool) -> Iterator[RenderableType]:
    yield from _section("Forward: from the input to the output")
    yield from _array("x, the input", update.x, full)
    for trace in update.layers:
        yield from _title(trace)
        yield from _equation(equations(trace.layer).forward)
        for parameter in trace.parameters:
            yield from _array(parameter.short, parameter.value, full)
        if (window := middle_window(trace)) is not None:
            channel, row, column = window.place
            yield Text(f"y[{channel}, {row}, {column}], one window:", "dim")
            yield from _array("window", window.window, full=True)
            yield from _array("kernel", window.kernel, full=True)
            yield from _array("products", window.products, full=True)
            others = ""
            if window.others is not None:
                others = f", and {number_text(window.others)} from the other channels"
            products = number_text(float(window.products.sum()))
            yield Text(f"their sum: {products}{others}; y = {number_text(window.total)}")
        yield from _array("y", trace.y, full)


def _loss(found: Explanation, full: bool) -> Iterator[RenderableType]:
    update = found.update
    head, loss = update.network.head, update.network.loss
    yield from _section(f"Loss: {loss.type}" + (f", together with {head.type}" if head else ""))
    yield from _equation(loss_equation(loss))
    if found.classes:
        yield Text(f"outputs: {', '.join(map(clean, found.classes))}", "dim")
    if head is not None:
        yield from _equation(f"p = {head.type}(z)")
        yield from _array("z, the output of the last layer", update.output, full)
        yield from _array("p, the prediction", update.prediction, full)
    else:
        yield from _array("y, the prediction", update.output, full)
    yield from _array("t, the target", update.target, full)
    if update.weight is not None:
        yield from _array("w, the weight of the row", update.weight, full)
    yield Text.assemble(("L", "bold"), f" = {number(update.loss)}")
    yield from _array("dL/dz" if head else "dL/dy", update.dy, full)


def _backward(update: UpdateTrace, full: bool) -> Iterator[RenderableType]:
    yield from _section("Backward: from the loss to every parameter")
    for trace in reversed(update.layers):
        yield from _title(trace)
        yield from _equation(equations(trace.layer).backward)
        yield from _array("dL/dy", trace.dy, full)
        for parameter in trace.parameters:
            yield from _array(f"dL/d{parameter.short}", parameter.gradient, full)
            yield from _array("by differences", parameter.numerical, full)
            yield Text(agreement(parameter), "dim")
        yield from _array("dL/dx", trace.dx, full)


# Differences of a loss that is not large are rounded to less.
_ROUNDING = 1e-10


def agreement(parameter: ParameterTrace) -> str:
    """How far both gradients differ, in a line."""
    size, compared = parameter.gradient.size, parameter.compared
    if not compared:
        return "no entry could be compared"
    which = "all" if compared == size else f"{count(compared)} of {count(size)}"
    entries = f"{which} entries" if size > 1 else "its entry"
    if parameter.worst > TOLERANCE and parameter.difference < _ROUNDING:
        return f"{entries} compared; largest difference {parameter.difference:.1e}, by rounding"
    return f"{entries} compared; largest difference {parameter.worst:.1e} of the largest gradient"


def step_words(update: UpdateTrace) -> str:
    """Learning rate and length of the gradient, in a line."""
    words = f"η = {number(update.learning_rate)}, |g| = {number(update.norm)}"
    if update.clip_norm is not None:
        words += f", at most {number(update.clip_norm)}"
        if update.clipped < 1:
            words += f": g is multiplied by {number(update.clipped)}"
    return words


def _step(update: UpdateTrace, full: bool) -> Iterator[RenderableType]:
    yield from _section(f"Step: {update.optimizer.type}")
    yield from _equation(optimizer_equation(update.optimizer))
    yield Text(step_words(update))
    for trace in update.layers:
        for parameter in trace.parameters:
            yield from _array(f"{parameter.name}, before", parameter.value, full)
            yield from _array(f"{parameter.name}, after", parameter.updated, full)


def _section(title: str) -> Iterator[RenderableType]:
    yield Text()
    yield Rule(title, align="left")


def _title(trace: LayerTrace) -> Iterator[RenderableType]:
    yield Text()
    yield Text(layer_title(trace), "bold cyan")


def _equation(text: str) -> Iterator[RenderableType]:
    if text:
        yield Text(clean(text), "italic")


def _array(name: str, array: Array, full: bool) -> Iterator[RenderableType]:
    for line in matrix_lines(name, array, full=full):
        line.no_wrap, line.overflow = True, "ignore"
        yield line


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


def number_text(value: float) -> str:
    """Whole numbers as they are, others in four digits; – for what is not computed."""
    if isfinite(value) and value == round(value) and abs(value) < 1e6:
        return f"{value + 0.0:,.0f}"
    return number(value)
