"""The values of a row's seeds, small enough for a cell of a table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from markupsafe import Markup

from nnrun.reports.charts.axes import Frame, Scale, tick_labels
from nnrun.reports.charts.svg import coordinate, element, width_of
from nnrun.reports.numbers import count, number

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
    ticks = _ticks(frame)
    texts = zip(ticks, tick_labels(ticks), strict=True)
    parts = [
        element("text", text, x=frame.across(tick), y=_HEAD - 4, class_="mid")
        for tick, text in texts
    ]
    return _drawing(parts, _HEAD, "")


def _frame(scale: Scale) -> Frame:
    return Frame(scale, scale, _SIDE, 3, _WIDTH - _SIDE, _HEIGHT - 3)


def _ticks(frame: Frame) -> list[float]:
    """As many round values as have room for their numbers."""
    room = frame.right - frame.left
    for most in range(5, 1, -1):
        ticks = frame.x.ticks(most)
        if sum(width_of(text) + _GAP for text in tick_labels(ticks)) <= room + 2 * _SIDE:
            break
    return ticks


@lru_cache(maxsize=16)  # all rows of a table have one
def _base(frame: Frame) -> Markup:
    bottom = _HEIGHT - 4
    spots = [x for tick in _ticks(frame) if (x := frame.across(tick)) is not None]
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
    words = f"{count(len(values))} values from {number(min(values))} to {number(max(values))}"
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
