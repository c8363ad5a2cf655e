"""Lines, areas, dots, bars and rules in a frame, without the values that have no place in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from nnrun.reports.charts.axes import Frame
from nnrun.reports.charts.svg import coordinate, element

Numbers = Sequence[float | None]
Spot = tuple[float, float]


def line(frame: Frame, x: Numbers, y: Numbers, class_: str) -> Markup:
    """A line through the points, with gaps where one has no place; a lone point is a dot."""
    segments = _segments(frame, x, y)
    d = "".join(_path(segment) for segment in segments if len(segment) > 1)
    path = element("path", d=d, class_=f"line {class_}") if d else Markup("")
    alone = [spot for segment in segments if len(segment) == 1 for spot in segment]
    return path + Markup("").join(_dot(spot, 2.5, f"point {class_}") for spot in alone)


def area(frame: Frame, x: Numbers, low: Numbers, high: Numbers, class_: str) -> Markup:
    """The area between two lines; a lower end without a place (0 on a log scale) is the bottom."""
    spots_above, spots_below = [], []
    for value, bottom, top in zip(x, low, high, strict=True):
        across, up, down = frame.across(value), frame.up(top), frame.up(bottom)
        if across is not None and up is not None and bottom is not None:
            spots_above.append((across, up))
            spots_below.append((across, frame.bottom if down is None else down))
    if len(spots_above) < 2:
        return Markup("")
    outline = _path([*spots_above, *reversed(spots_below)])
    return element("path", d=f"{outline}Z", class_=f"area {class_}")


def dots(
    frame: Frame, x: Numbers, y: Numbers, class_: str, radius: float = 2.5, kind: str = "dot"
) -> Markup:
    """A dot for each point that has a place."""
    spots = (spot for segment in _segments(frame, x, y) for spot in segment)
    return Markup("").join(_dot(spot, radius, f"{kind} {class_}") for spot in spots)


def bars(frame: Frame, edges: Sequence[float], heights: Numbers, class_: str) -> Markup:
    """A bar between each pair of neighbouring edges."""
    parts = []
    for start, end, height in zip(edges, edges[1:], heights, strict=False):
        left, right, up = frame.across(start), frame.across(end), frame.up(height)
        if left is not None and right is not None and up is not None and up < frame.bottom:
            width = max(right - left - 0.5, 0.5)
            parts.append(element("rect", x=left, y=up, width=width, height=frame.bottom - up))
    return element("g", parts, class_=class_)


def rule(frame: Frame, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    """A straight dashed line between two points, as a reference."""
    spots = [(frame.across(x), frame.up(y)) for x, y in (start, end)]
    known = [(x, y) for x, y in spots if x is not None and y is not None]
    return element("path", d=_path(known), class_="guide") if len(known) == 2 else Markup("")


def _segments(frame: Frame, x: Numbers, y: Numbers) -> list[list[Spot]]:
    """Runs of consecutive points without a gap."""
    segments: list[list[Spot]] = [[]]
    for value, height in zip(x, y, strict=True):
        across, up = frame.across(value), frame.up(height)
        if across is None or up is None:
            segments.append([])
        else:
            segments[-1].append((across, up))
    return [segment for segment in segments if segment]


def _path(spots: Iterable[Spot]) -> str:
    points = [f"{coordinate(x)} {coordinate(y)}" for x, y in spots]
    return f"M{'L'.join(points)}"


def _dot(spot: Spot, radius: float, class_: str) -> Markup:
    return element("circle", cx=spot[0], cy=spot[1], r=radius, class_=class_)
