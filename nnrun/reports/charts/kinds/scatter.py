"""Scatter charts, of predictions, residuals and calibration, and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from markupsafe import Markup

from nnrun.reports.charts.axes import (
    TALL,
    Frame,
    Linear,
    bars,
    dots,
    line,
    rule,
    tick_labels,
    x_axis,
    y_axis,
)
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.svg import CHARACTER, element
from nnrun.reports.numbers import count, number, plural, to_error

_SQUARE = 400.0, 400.0


def predicted_and_true(
    title: str, true: Sequence[float], predicted: Sequence[float], rows: Sequence[int]
) -> Chart:
    """A point for each row of the data, by number; points on the dashed line are exact.

    Both axes have the same scale and length.
    """
    scale = Linear.over([*true, *predicted])
    frame = Frame.around(scale, scale, _SQUARE)
    side = min(frame.right - frame.left, frame.bottom - frame.top)
    frame = replace(frame, right=frame.left + side, top=frame.bottom - side)
    drawing = y_axis(frame, "predicted") + x_axis(frame, "true", ticks=scale.ticks(5))
    drawing += rule(frame, (scale.low, scale.low), (scale.high, scale.high))
    drawing += rows_of_dots(frame, true, predicted, "k0")
    errors = [abs(a - b) for a, b in zip(true, predicted, strict=True)]
    farthest = number(max(errors, default=0.0))
    alternative = (
        f"{count(len(true))} rows, with a line where predicted and true are equal; the farthest "
        f"point is {farthest} from it."
    )
    table = _table(rows, ("true", true), ("predicted", predicted))
    return Chart(title, alternative, drawing, *_SQUARE, table)


def residuals(
    title: str, predicted: Sequence[float], residual: Sequence[float], rows: Sequence[int]
) -> Chart:
    """Residuals (true − predicted) against predictions, for the same rows."""
    x, y = Linear.over(predicted), Linear.over([*residual, 0.0])
    frame = Frame.around(x, y, _SQUARE)
    drawing = _axes(frame, "predicted", "true − predicted")
    drawing += rule(frame, (x.low, 0.0), (x.high, 0.0))
    drawing += rows_of_dots(frame, predicted, residual, "k1")
    mean = sum(residual) / len(residual) if residual else None
    alternative = (
        f"{count(len(residual))} residuals around a line at zero, from {number(min(residual))} to "
        f"{number(max(residual))}, {number(mean)} in the mean."
        if residual
        else "There are no residuals."
    )
    table = _table(rows, ("predicted", predicted), ("true − predicted", residual))
    return Chart(title, alternative, drawing, *_SQUARE, table)


def rows_of_dots(frame: Frame, x: Sequence[float], y: Sequence[float], class_: str) -> Markup:
    """A dot for each row of the chart's table, in their order; pages name the nearest one."""
    return element("g", dots(frame, x, y, class_, 3.0), class_="rows")


def _table(rows: Sequence[int], *columns: tuple[str, Sequence[float]]) -> Table:
    lines = zip(rows, *(values for _, values in columns), strict=True)
    return Table(
        ["row", *(name for name, _ in columns)],
        [[str(row), *map(number, values)] for row, *values in lines],
    )


def calibration(
    title: str, predicted: Sequence[float], correct: Sequence[float], rows_in: Sequence[int]
) -> Chart:
    """The predicted probability against the share of correct predictions.

    Each bin has its mean probability of the predicted class, its share of correct predictions and
    its number of rows.
    """
    scale = Linear(0.0, 1.0)
    frame = Frame.around(scale, scale, TALL)
    drawing = _axes(frame, "predicted probability", "share correct")
    drawing += rule(frame, (0.0, 0.0), (1.0, 1.0)) + line(frame, predicted, correct, "k0 d0")
    most = max(rows_in, default=1)
    for x, y, n in zip(predicted, correct, rows_in, strict=True):
        drawing += dots(frame, [x], [y], "k0", 2.5 + 5 * (n / most) ** 0.5, "point")
    gaps = [abs(a - b) for a, b in zip(predicted, correct, strict=True)]
    total = sum(rows_in) or 1
    expected = sum(gap * n for gap, n in zip(gaps, rows_in, strict=True)) / total
    alternative = (
        f"On the dashed line, the probability equals the share correct. The mean distance from "
        f"it, weighted by rows (the expected calibration error), is {number(expected)}."
    )
    rows = [
        [number(a), to_error(b, 2 * (b * (1 - b) / n) ** 0.5), count(n)]
        for a, b, n in zip(predicted, correct, rows_in, strict=True)
    ]
    places = [frame.across(p) or 0.0 for p in predicted]
    table = Table(["mean probability", "share correct", "rows"], rows, places)
    return Chart(title, alternative, drawing, *TALL, table)


def _axes(frame: Frame, across: str, up: str) -> Markup:
    return y_axis(frame, up) + x_axis(frame, across, count=4)


_TICKS = 3


def histogram(
    title: str,
    edges: Sequence[float],
    counts: Sequence[int],
    x_label: str,
    y_label: str,
    size: tuple[float, float] = (300.0, 180.0),
) -> Chart:
    """A bar for each bin, between its two edges; `size` is that of the drawing."""
    x = Linear.between(edges)
    ticks = min(3, max(counts, default=1) or 1)  # of whole numbers
    y = Linear.over(counts, zero=True, count=ticks)
    frame = Frame.around(x, y, size, ticks)
    drawing = y_axis(frame, y_label, count=ticks) + x_axis(frame, x_label, ticks=_ticks(frame))
    drawing += bars(frame, edges, counts, "bar k0")
    middles = [frame.across((low + high) / 2) or 0.0 for low, high in pairwise(edges)]
    rows = [
        [number(low), number(high), count(n)]
        for low, high, n in zip(edges, edges[1:], counts, strict=False)
    ]
    return Chart(
        title, _alternative(edges, counts, x_label), drawing, *size,
        Table(["from", "to", y_label], rows, middles),
    )  # fmt: skip


def _ticks(frame: Frame) -> list[float]:
    """Three ticks or more where there is room, since few round numbers lie within the edges."""
    found = frame.x.ticks(4)
    for more in range(5, 9):
        ticks = frame.x.ticks(more)
        width = CHARACTER * (sum(map(len, tick_labels(ticks))) + len(ticks))
        if len(found) >= _TICKS or width > frame.right - frame.left:
            break
        found = ticks
    return found


def _alternative(edges: Sequence[float], counts: Sequence[int], x_label: str) -> str:
    total = sum(counts)
    if not total:
        return f"There are no values of {x_label}."
    most = max(range(len(counts)), key=lambda index: counts[index])
    low, high = number(edges[most]), number(edges[most + 1])
    return (
        f"{plural(total, 'value')} of {x_label} from {number(edges[0])} to {number(edges[-1])}; "
        f"the fullest bar, {count(counts[most])} of them, is from {low} to {high}."
    )
