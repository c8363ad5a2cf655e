"""Scales, the frame of a chart with its axes, and what is drawn in it: lines, areas, dots, bars.

Scales map values to places: the domain to 0 … 1. Values without a place (None, NaN, sizes beyond
1e300, on log scales zero and less) leave a gap in a chart. The limit keeps differences and round
ends of domains within the range of floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10
from typing import TypeGuard

from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.reports.charts.chart import CHARACTER, LINE, Value, coordinate, element

# Multiples of powers of ten that ticks may have.
_STEPS = (1, 2, 5, 10)
# Beyond this size, values have no place.
_LARGEST = 1e300
# The distance of ticks is at least this.
_LEAST_STEP = 1e-305


@dataclass(frozen=True)
class Linear:
    """Equal differences have equal lengths.

    Both ends of the domain are finite.
    """

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None], *, zero: bool = False, count: int = 5) -> Linear:
        """A domain with round ends that holds all values with a place.

        The ends are multiples of the distance of `count` ticks; a constant is in the middle.
        """
        placeable = _placeable(values)
        if not placeable:
            return cls(0.0, 1.0)
        low, high = min(placeable), max(placeable)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if low == high:
            room = abs(low) / 2 or 1.0
            low, high = low - room, high + room
        step, power = _step(low, high, count)
        unit = _multiple(1, step, power)
        start, end = floor(low / unit), ceil(high / unit)
        # Multiples are rounded, possibly to the wrong side of a value.
        return cls(min(low, _multiple(start, step, power)), max(high, _multiple(end, step, power)))

    @classmethod
    def between(cls, values: Iterable[float | None]) -> Linear:
        """A domain from the smallest value to the largest; as `over` where these are equal."""
        placeable = _placeable(values)
        low, high = min(placeable, default=0.0), max(placeable, default=0.0)
        return cls(low, high) if low < high else cls.over(placeable)

    def place(self, value: float | None) -> float | None:
        """The place of a value: 0 at the start of the domain, 1 at its end; None if it has none."""
        return (value - self.low) / (self.high - self.low) if _is_placeable(value) else None

    def ticks(self, count: int) -> list[float]:
        """About this many round values within the domain."""
        step, power = _step(self.low, self.high, count)
        unit = _multiple(1, step, power)
        first, last = self.low / unit, self.high / unit
        # The ends of a domain of `over` are multiples, but for rounding.
        slack = 1e-9 * max(1.0, last - first)
        numbers = range(ceil(first - slack), floor(last + slack) + 1)
        return list(dict.fromkeys(_multiple(number, step, power) for number in numbers))


@dataclass(frozen=True)
class Log:
    """Equal ratios have equal lengths; zero and negative numbers have no place.

    Both ends of the domain are positive and finite.
    """

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None]) -> Log:
        """A domain that holds all positive values with a place; 1 … 10 if there are none."""
        positive = [value for value in _placeable(values) if value > 0]
        if not positive:
            return cls(1.0, 10.0)
        low, high = min(positive), max(positive)
        if log10(high) - log10(low) < 0.01:
            low, high = max(low / 2, 5e-324), high * 2
        return cls(low, high)

    def place(self, value: float | None) -> float | None:
        if not _is_placeable(value) or value <= 0:
            return None
        return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))

    def ticks(self, count: int) -> list[float]:
        first, last = log10(self.low), log10(self.high)
        decades = last - first
        if decades < 1:
            inside = Linear(self.low, self.high).ticks(count)
            return [tick for tick in inside if self.low <= tick <= self.high]
        mantissas = (1, 2, 5) if decades * 2 < count else (1,)
        stride = max(1, ceil(decades / count))
        powers = range(floor(first), ceil(last) + 1)
        ticks = [
            _multiple(1, mantissa, power)
            for power in powers
            if power % stride == 0
            for mantissa in mantissas
        ]
        return [tick for tick in ticks if self.low <= tick <= self.high]


Scale = Linear | Log
"""Scales of axes, with the same methods."""


def log_suits(values: Sequence[float | None]) -> bool:
    """Whether a logarithmic scale suits: all finite values are positive and span two decades."""
    sizes = _placeable(values)
    return bool(sizes) and min(sizes) > 0 and log10(max(sizes)) - log10(min(sizes)) >= 2


def _placeable(values: Iterable[float | None]) -> list[float]:
    return [float(value) for value in values if _is_placeable(value)]


def _is_placeable(value: float | None) -> TypeGuard[float]:
    return value is not None and abs(value) <= _LARGEST


def _step(low: float, high: float, count: int) -> tuple[int, int]:
    """The distance of ticks, as (multiple, power of ten)."""
    raw = max((high - low) / max(1, count), _LEAST_STEP)
    power = floor(log10(raw))
    multiple = next((m for m in _STEPS if _multiple(1, m, power) >= raw * (1 - 1e-9)), 10)
    return multiple, power


def _multiple(number: int, step: int, power: int) -> float:
    """number · step · 10^power, as the decimal says it: no 0.30000000000000004."""
    return float(f"{number * step}e{power}")


SIZE = 480.0, 270.0
"""Of most charts; `TALL` of those that are nearly squares."""
TALL = 480.0, 300.0
_LONGEST_LABEL = 22
# The width of a digit where a page enlarges the text of a chart that it draws small.
_DIGIT = 8.5
_BETWEEN = 4.0  # numbers below the x axis
_FAR = 100.0  # times the height of the plot: beyond it, readers of SVG lose count
_STROKE = 4.0  # room for the width of lines at the edge of the plot
_MARGIN = 18.0  # for the half of a number at the right end of the x axis


@dataclass(frozen=True)
class Frame:
    """Two scales and the rectangle of the plot.

    Its edges are in pixels, at the natural size.
    """

    x: Scale
    y: Scale
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: Scale, y: Scale, size: tuple[float, float], ticks: int = 5) -> Frame:
        """A frame of this size with room for the labels of this many ticks of the y axis."""
        labels = tick_labels(y.ticks(ticks))
        longest = max((len(shortened(label, _LONGEST_LABEL)) for label in labels), default=3)
        return cls(x, y, 18 + longest * _DIGIT, 30.0, size[0] - _MARGIN - 2, size[1] - 44)

    def across(self, value: float | None) -> float | None:
        """The x position of a value in pixels; None if the scale has no place for it."""
        place = self.x.place(value)
        return None if place is None else self.left + place * (self.right - self.left)

    def up(self, value: float | None) -> float | None:
        """The y position of a value in pixels, likewise; no farther than drawings reach."""
        place = self.y.place(value)
        if place is None:
            return None
        return self.bottom - min(max(place, -_FAR), _FAR) * (self.bottom - self.top)


def x_axis(
    frame: Frame,
    label: str,
    names: Callable[[list[float]], list[str]] | None = None,
    count: int = 6,
    ticks: list[float] | None = None,
) -> Markup:
    """The x axis with its label: ticks at round values, or at those given."""
    labels = names or tick_labels
    if ticks is None:
        ticks = _with_room(frame, count) if labels is tick_labels else frame.x.ticks(count)
    texts = labels(ticks)
    room = (frame.right - frame.left) / max(1, len(ticks))
    parts = []
    for tick, text in zip(ticks, texts, strict=True):
        x = frame.across(tick)
        if x is not None:
            shown = shortened(text, max(3, int(room / CHARACTER)))
            place: dict[str, Value] = {"x": x, "class_": "mid"}
            if x + len(shown) * _DIGIT / 2 > frame.right + _MARGIN:
                place = {"x": frame.right + _MARGIN, "class_": "end"}
            parts.append(element("text", shown, y=frame.bottom + LINE + 2, **place))
    middle = (frame.left + frame.right) / 2
    return element(
        "g",
        element("path", d=f"M{frame.left:.1f} {frame.bottom:.1f}H{frame.right:.1f}", class_="axis"),
        parts,
        element(
            "text", shortened(label, 60), x=middle, y=frame.bottom + 2 * LINE + 8, class_="mid"
        ),
    )


def _with_room(frame: Frame, count: int) -> list[float]:
    """Ticks of the x axis for this many values, or for fewer if their numbers would touch."""
    for fewer in range(count, 0, -1):
        ticks = frame.x.ticks(fewer)
        ends = [
            (x - _DIGIT * len(text) / 2, x + _DIGIT * len(text) / 2)
            for tick, text in zip(ticks, tick_labels(ticks), strict=True)
            if (x := frame.across(tick)) is not None
        ]
        if all(start - end > _BETWEEN for (_, end), (start, _) in pairwise(ends)):
            break
    return ticks


def y_axis(frame: Frame, label: str, count: int = 5) -> Markup:
    """The y axis with a grid line for each tick, and its label above."""
    ticks = frame.y.ticks(count)
    parts = []
    for tick, text in zip(ticks, tick_labels(ticks), strict=True):
        y = frame.up(tick)
        if y is not None:
            d = f"M{frame.left:.1f} {y:.1f}H{frame.right:.1f}"
            parts.append(element("path", d=d, class_="grid"))
            shown = shortened(text, _LONGEST_LABEL)
            parts.append(element("text", shown, x=frame.left - 6, y=y + 4, class_="end"))
    return element("g", parts, element("text", shortened(label, 60), x=4.0, y=13.0))


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Numbers with as few digits as keep them distinct: `0.5`, `10,000`, `1e−7`."""
    for digits in range(4, 18):
        labels = [_label(tick, digits) for tick in ticks]
        if len(set(labels)) == len(labels):
            break
    else:
        labels = [repr(tick) for tick in ticks]
    return labels


def _label(value: float, digits: int) -> str:
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace("-", "−")
    mantissa, _, power = f"{value:.{digits}g}".partition("e")
    text = f"{mantissa}e{int(power)}" if power else mantissa
    return text.replace("-", "−")


Numbers = Sequence[float | None]
Spot = tuple[float, float]


def clipped(frame: Frame, marks: Iterable[Markup]) -> Markup:
    """Marks that end where they leave the frame above or below."""
    top, height = frame.top - _STROKE, frame.bottom - frame.top + 2 * _STROKE
    left, width = frame.left - _STROKE, frame.right - frame.left + 2 * _STROKE
    box = Markup(f"{left:.1f} {top:.1f} {width:.1f} {height:.1f}")
    return element("svg", marks, x=left, y=top, width=width, height=height, viewBox=box)


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
    places = [(x, y) for x, y in spots if x is not None and y is not None]
    return element("path", d=_path(places), class_="guide") if len(places) == 2 else Markup("")


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
