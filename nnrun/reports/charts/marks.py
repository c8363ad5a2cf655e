"""Lines, areas, points, bars and cells in a frame; what has no place in it is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from nnrun.reports.charts.axes import Frame
from nnrun.reports.charts.svg import coordinate, element

Numbers = Sequence[float | None]
Spot = tuple[float, float]


def line(frame: Frame, x: Numbers, y: Numbers, class_: str) -> Markup:
    """A line through the points, broken where one has no place; a lone point is a dot."""
    stretches = _stretches(frame, x, y)
    d = "".join(_path(stretch) for stretch in stretches if len(stretch) > 1)
    path = element("path", d=d, class_=f"line {class_}") if d else Markup("")
    alone = [spot for stretch in stretches if len(stretch) == 1 for spot in stretch]
    return path + Markup("").join(_dot(spot, 2.5, f"point {class_}") for spot in alone)


def area(frame: Frame, x: Numbers, low: Numbers, high: Numbers, class_: str) -> Markup:
    """The room between two lines; a lower end without a place, as 0 on a log scale, is lowest."""
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
    spots = (spot for stretch in _stretches(frame, x, y) for spot in stretch)
    return Markup("").join(_dot(spot, radius, f"{kind} {class_}") for spot in spots)


def bars(frame: Frame, edges: Sequence[float], heights: Numbers, class_: str) -> Markup:
    """A bar from the bottom between each two edges."""
    parts = []
    for start, end, height in zip(edges, edges[1:], heights, strict=False):
        left, right, up = frame.across(start), frame.across(end), frame.up(height)
        if left is not None and right is not None and up is not None and up < frame.bottom:
            width = max(right - left - 0.5, 0.5)
            parts.append(
                element("rect", x=left, y=up, width=width, height=frame.bottom - up, class_=class_)
            )
    return Markup("").join(parts)


def rule(frame: Frame, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    """A straight dashed line between two points, to hold others against."""
    spots = [(frame.across(x), frame.up(y)) for x, y in (start, end)]
    known = [(x, y) for x, y in spots if x is not None and y is not None]
    return element("path", d=_path(known), class_="guide") if len(known) == 2 else Markup("")


def _stretches(frame: Frame, x: Numbers, y: Numbers) -> list[list[Spot]]:
    """Points that follow each other without a gap."""
    stretches: list[list[Spot]] = [[]]
    for value, height in zip(x, y, strict=True):
        across, up = frame.across(value), frame.up(height)
        if across is None or up is None:
            stretches.append([])
        else:
            stretches[-1].append((across, up))
    return [stretch for stretch in stretches if stretch]


def _path(spots: Iterable[Spot]) -> str:
    points = [f"{coordinate(x)} {coordinate(y)}" for x, y in spots]
    return f"M{'L'.join(points)}"


def _dot(spot: Spot, radius: float, class_: str) -> Markup:
    return element("circle", cx=spot[0], cy=spot[1], r=radius, class_=class_)
