"""Counts of values in bins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nnrun.reports.charts.axes import Frame, bars, tick_labels, x_axis, y_axis
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.scales import Linear
from nnrun.reports.charts.svg import CHARACTER
from nnrun.reports.numbers import count, number, plural

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
