"""Scatter charts, histograms, and strips of single values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate, pairwise

from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.reports.charts.axes import (
    TALL,
    Frame,
    Linear,
    Scale,
    bars,
    dots,
    line,
    rule,
    tick_labels,
    x_axis,
    y_axis,
)
from nnrun.reports.charts.chart import CHARACTER, Chart, Table, coordinate, element, width_of
from nnrun.reports.numbers import count, number, plural, signed, to_error

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
    errors = [abs(a - b) for a, b in zip(true, predicted, strict=True)]
    farthest = number(max(errors, default=0.0))
    alternative = (
        f"{count(len(true))} rows, with a line where predicted and true are equal; the farthest "
        f"point is {farthest} from it."
    )
    drawing += rows_of_dots(frame, true, predicted, "k0")
    return _of_rows(title, alternative, drawing, rows, true=true, predicted=predicted)


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
    columns = {"predicted": predicted, "true − predicted": residual}
    return _of_rows(title, alternative, drawing, rows, **columns)


def rows_of_dots(frame: Frame, x: Sequence[float], y: Sequence[float], class_: str) -> Markup:
    """A dot for each row of the chart's table, in their order; pages name the nearest one."""
    return element("g", dots(frame, x, y, class_, 3.0), class_="rows")


def _of_rows(
    title: str, alternative: str, drawing: Markup, rows: Sequence[int], **columns: Sequence[float]
) -> Chart:
    """The chart, with a table of these columns."""
    lines = zip(rows, *columns.values(), strict=True)
    cells = [[str(row), *map(number, values)] for row, *values in lines]
    return Chart(title, alternative, drawing, *_SQUARE, Table(["row", *columns], cells))


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


_ROW = 26.0  # of a name and the bar below it


def bars_of(title: str, names: Sequence[str], counts: Sequence[int], label: str) -> Chart:
    """A bar for each name, below each other."""
    x = Linear.over(counts, zero=True, count=3)
    bottom = 6 + _ROW * len(names)
    frame = Frame(x, Linear(len(names), 0.0), 12.0, 6.0, TALL[0] - 30, bottom)
    parts = [x_axis(frame, label, count=3)]
    for place, (name, rows) in enumerate(zip(names, counts, strict=True)):
        y, reach = 6 + _ROW * place, (frame.across(rows) or 0.0) - frame.left
        text = shortened(name, 40)
        parts.append(element("text", text, x=frame.left, y=y + 11, class_="name"))
        bar = {"width": max(reach, 0.5), "height": 9.0}
        parts.append(element("rect", x=frame.left, y=y + 14, **bar, class_="bar k0"))
    drawing, cells = (
        Markup("").join(parts),
        [[n, count(k)] for n, k in zip(names, counts, strict=True)],
    )
    most = f"The most, {count(max(counts, default=0))}, are of {names[0]}." if names else ""
    return Chart(title, most, drawing, TALL[0], bottom + 40, Table(["", label], cells))


def waterfall(
    title: str, names: Sequence[str], amounts: Sequence[float], start: float, label: str
) -> Chart:
    """A bar for each amount, which begins where the one above it ends; the first at `start`."""
    ends = [*accumulate(amounts, initial=start)]
    x, bottom = Linear.over(ends, count=4), 6 + _ROW * len(names)
    frame = Frame(x, Linear(len(names), 0.0), 24.0, 6.0, TALL[0] - 30, bottom)
    parts = [x_axis(frame, label, count=4), rule(frame, (start, 0.0), (start, len(names)))]
    for place, (name, (low, high)) in enumerate(zip(names, pairwise(ends), strict=True)):
        y, (left, right) = 6 + _ROW * place, sorted(frame.across(end) or 0.0 for end in (low, high))
        parts.append(element("text", shortened(name, 60), x=frame.left, y=y + 11, class_="name"))
        bar = {"x": left, "y": y + 14, "width": max(right - left, 0.5), "height": 9.0}
        parts.append(element("rect", **bar, class_=f"bar k{int(high < low)}"))
    table = Table(["", label], [[n, signed(a)] for n, a in zip(names, amounts, strict=True)])
    words = f"From {number(start)} to {number(ends[-1])}; the most is by {names[0]}."
    return Chart(title, words, Markup("").join(parts), TALL[0], bottom + 40, table)


def _ticks(frame: Frame) -> list[float]:
    """Three ticks or more where there is room, since few round numbers lie within the edges."""
    best = frame.x.ticks(4)
    for more in range(5, 9):
        ticks = frame.x.ticks(more)
        width = CHARACTER * (sum(map(len, tick_labels(ticks))) + len(ticks))
        if len(best) >= _TICKS or width > frame.right - frame.left:
            break
        best = ticks
    return best


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


# The values of a row's seeds, small enough for a cell of a table.

_WIDTH, _HEIGHT, _SIDE = 136.0, 24.0, 9.0
_MIDDLE, _DOT = 10.0, 2.5
_GAP = 7.0  # between numbers
_HEAD = 15.0  # the height of the scale
MOST_DOTS = 60


def strip(
    values: Sequence[float], scale: Scale, low: float | None, high: float | None, mean: float
) -> Markup:
    """A dot for each of the first runs, a bar for the interval of the mean, and a line at the mean.

    All rows of a table share the scale; `low` and `high` are None where there is no interval. An
    arrow at an end of the strip says that the interval or a run lies beyond it.
    """
    frame = _frame(scale)
    spots = [spot for value in values if (spot := frame.across(value)) is not None]
    ends = [end for end in (frame.across(low), frame.across(high)) if end is not None]
    parts = [_base(frame)]
    if len(ends) == 2:
        left, right = max(ends[0], frame.left), min(ends[1], frame.right)
        size = {"width": max(right - left, 1.0), "height": 10.0}
        parts.append(element("rect", x=left, y=_MIDDLE - 5, **size, class_="area k0"))
    inside = (spot for spot in spots[:MOST_DOTS] if frame.left <= spot <= frame.right)
    parts += [element("circle", cx=x, cy=_MIDDLE, r=_DOT, class_="dot k0") for x in inside]
    middle = frame.across(mean)
    if middle is not None and frame.left <= middle <= frame.right:
        parts.append(element("path", d=f"M{middle:.1f} 3V17", class_="line k1 d0"))
    parts += _arrows(frame, [*spots, *ends])
    return _drawing(parts, _HEIGHT, _label(values, low, high))


def strip_scale(scale: Scale) -> Markup:
    """The numbers at the ticks of the strips, for the head of their column."""
    frame = _frame(scale)
    ticks = _strip_ticks(frame)
    texts = zip(ticks, tick_labels(ticks), strict=True)
    parts = [
        element("text", text, x=frame.across(tick), y=_HEAD - 4, class_="mid")
        for tick, text in texts
    ]
    return _drawing(parts, _HEAD, "")


def _frame(scale: Scale) -> Frame:
    return Frame(scale, scale, _SIDE, 3, _WIDTH - _SIDE, _HEIGHT - 3)


def _strip_ticks(frame: Frame) -> list[float]:
    """Round values, as many as have room for their numbers."""
    room = frame.right - frame.left
    for most in range(5, 1, -1):
        ticks = frame.x.ticks(most)
        if sum(width_of(text) + _GAP for text in tick_labels(ticks)) <= room + 2 * _SIDE:
            break
    return ticks


@lru_cache(maxsize=16)  # all rows of a table have one
def _base(frame: Frame) -> Markup:
    bottom = _HEIGHT - 4
    spots = [x for tick in _strip_ticks(frame) if (x := frame.across(tick)) is not None]
    marks = "".join(f"M{coordinate(x)} {bottom - 2:g}V{bottom + 3:g}" for x in spots)
    d = f"M{frame.left:g} {bottom:g}H{frame.right:g}{marks}"
    return element("path", d=d, class_="ticks")


def _arrows(frame: Frame, spots: Sequence[float]) -> list[Markup]:
    """A triangle at each end that something lies beyond."""
    left, right = frame.left, frame.right
    arrows = []
    if min(spots, default=left) < left - _DOT:
        arrows.append(f"M1 {_MIDDLE:g}L{left - 2:g} {_MIDDLE - 5:g}V{_MIDDLE + 5:g}Z")
    if max(spots, default=right) > right + _DOT:
        arrows.append(f"M{_WIDTH - 1:g} {_MIDDLE:g}L{right + 2:g} {_MIDDLE - 5:g}V{_MIDDLE + 5:g}Z")
    return [element("path", d=d, class_="arrow k0") for d in arrows]


def _label(values: Sequence[float], low: float | None, high: float | None) -> str:
    words = f"{plural(len(values), 'value')} from {number(min(values))} to {number(max(values))}"
    if low is None or high is None:
        return words
    return f"{words}; 95% interval of the mean from {number(low)} to {number(high)}"


def _drawing(parts: Sequence[Markup], height: float, label: str) -> Markup:
    """Screen readers skip a drawing without a label."""
    box = Markup(f"0 0 {_WIDTH:g} {height:g}")
    return element(
        "svg", parts, viewBox=box, width=_WIDTH, height=height, class_="chart strip",
        role="img" if label else None, aria_label=label or None,
        aria_hidden=None if label else "true",
    )  # fmt: skip
