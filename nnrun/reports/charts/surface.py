"""A network's predictions over the plane of two features, with rows of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.reports.charts.axes import Frame, Linear, x_axis, y_axis
from nnrun.reports.charts.chart import (
    CHARACTER,
    CIVIDIS,
    LINE,
    SERIES,
    Chart,
    Ramp,
    Table,
    coordinate,
    element,
    rgb,
    series_class,
)
from nnrun.reports.charts.lines import BAR, SCALE, colour_marks, scale_numbers
from nnrun.reports.charts.pictures import Picture, raster, shaded_picture
from nnrun.reports.numbers import count, number

_WIDTH, _HEIGHT = 480.0, 380.0
_MOST_CLASSES = 16


class Point(NamedTuple):
    """A row of the data: its number, two features, and its class or 0."""

    row: int
    x: float
    y: float
    label: int


def decision_surface(
    title: str,
    predictions: npt.NDArray[np.float64],
    extent: tuple[float, float, float, float],
    names: tuple[str, str],
    points: Sequence[Point],
    classes: Sequence[str],
) -> Chart:
    """Predictions on a grid, with a dot for each row in the colour of its class.

    Predictions (height, width), from bottom to top, are class numbers, or values for regression,
    which has no classes. The extent is left, right, bottom, top of the grid.
    """
    left, right, bottom, top = extent
    frame = Frame.around(Linear(left, right), Linear(bottom, top), (_WIDTH, _HEIGHT))
    picture = _picture(predictions[::-1], classes, title)
    image = element(
        "image", href=picture.source, x=frame.left, y=frame.top, width=frame.right - frame.left,
        height=frame.bottom - frame.top, preserveAspectRatio="none",
        class_=None if not classes else "raster",
    )  # fmt: skip
    marks = [_dot(frame, point, names, classes) for point in points]
    drawing = image + y_axis(frame, names[1]) + x_axis(frame, names[0]) + Markup("").join(marks)
    height = _HEIGHT
    if not classes:
        scale = Linear.over(predictions.ravel().tolist())
        drawing += colour_marks((frame.left, height), CIVIDIS, scale, number)
        height += 32
    return Chart(
        title, _alternative(predictions, classes, len(points)), drawing, _WIDTH, height,
        _table(predictions, extent, names, classes), legend=[*enumerate(classes[:_MOST_CLASSES])],
    )  # fmt: skip


def _dot(frame: Frame, point: Point, names: tuple[str, str], classes: Sequence[str]) -> Markup:
    """A row, with its class and values for readers who point at it."""
    x, y = frame.across(point.x), frame.up(point.y)
    if x is None or y is None:
        return Markup("")
    values = [f"{name} {number(value)}" for name, value in zip(names, point[1:3], strict=True)]
    words = [f"row {point.row}", *([classes[point.label]] if classes else []), *values]
    kind = f"{series_class(point.label)} s{point.label}" if classes else "k1"
    return element(
        "circle", element("title", " · ".join(words)), cx=x, cy=y, r=3.0, class_=f"point {kind}"
    )


def _picture(values: npt.NDArray[np.float64], classes: Sequence[str], title: str) -> Picture:
    """Classes in pale tones of the series' colours, numbers by a ramp."""
    if not classes:
        scale = Linear.over(values.ravel().tolist())
        return shaded_picture((values - scale.low) / (scale.high - scale.low), CIVIDIS, title)
    solid = [SERIES[index % len(SERIES)] for index in range(min(len(classes), _MOST_CLASSES))]
    pale = ["#" + "".join(f"{255 - (255 - part) * 2 // 5:02x}" for part in rgb(c)) for c in solid]
    return raster(values.astype(np.int64) % len(pale), pale, title)


def _alternative(predictions: npt.NDArray[np.float64], classes: Sequence[str], points: int) -> str:
    if not classes:
        low, high = number(float(predictions.min())), number(float(predictions.max()))
        return f"Predictions from {low} to {high}, with {count(points)} rows of the data."
    shares = [
        f"{shortened(name, 30)} in {100 * float(np.mean(predictions == index)):.0f}%"
        for index, name in enumerate(classes[:8])
    ]
    return f"Predicted over the area: {', '.join(shares)}; {count(points)} rows are shown."


def _table(
    predictions: npt.NDArray[np.float64],
    extent: tuple[float, float, float, float],
    names: tuple[str, str],
    classes: Sequence[str],
) -> Table:
    """The predictions at eleven by eleven points."""
    height, width = predictions.shape
    down = np.linspace(height - 1, 0, 11).astype(int)
    across = np.linspace(0, width - 1, 11).astype(int)
    x = np.linspace(extent[0], extent[1], width)
    y = np.linspace(extent[2], extent[3], height)

    def text(value: float) -> str:
        return shortened(classes[int(value)], 20) if classes else number(float(value))

    header = [f"{names[1]} \\ {names[0]}", *(number(float(x[column])) for column in across)]
    rows = [
        [number(float(y[row])), *(text(predictions[row, column]) for column in across)]
        for row in down
    ]
    return Table(header, rows)


# Rows of pictures, a column for each moment: functions of the plane or curves, over training.

Array = npt.NDArray[np.float64]
LARGE, SMALL = 112.0, 48.0
"""The sides of pictures: eight of them fill a page, or one of its two columns."""
_LONGEST = 14  # of the name of a row
_NARROWEST = 200.0


class Dots(NamedTuple):
    """Rows of the data: their series, and their places as shares of the picture's sides."""

    series: int
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Strips:
    """What a filmstrip shows: a column for each moment.

    Args:
        rows: the name of each row, with a function for each moment: values (height, width) from
            bottom to top, or (width,) for a curve.
        colours: of the values, or if there is no scale, of whole numbers from 0 on.
        scale: of all values; curves have it from bottom to top.
        dots: in every picture of the first row.
        axes: the labels of the horizontal and the vertical axis.
        legend: the number and name of each series of dots.
    """

    moments: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Array]]]
    colours: Ramp
    scale: Linear | None
    side: float
    dots: Sequence[Dots] = ()
    axes: str = ""
    row_label: str = ""
    legend: Sequence[tuple[int, str]] = ()

    @property
    def curves(self) -> bool:
        """Whether functions are of one number."""
        return self.rows[0][1][0].ndim == 1


class _Places(NamedTuple):
    """Places of pictures: the corner of the first one, their sides, and the gaps between them."""

    left: float
    top: float
    side: float
    gap: float

    def x(self, column: float) -> float:
        """The left edge of a column."""
        return self.left + column * (self.side + self.gap)

    def y(self, row: float) -> float:
        """The upper edge of a row."""
        return self.top + row * (self.side + self.gap)

    def edge(self, column: int, row: int) -> str:
        """The outline of a picture."""
        return _box(self.x(column), self.y(row), self.side, self.side)


def filmstrip(title: str, alternative: str, strips: Strips, table: Table) -> Chart:
    """The rows below each other, with the scale of their colours below."""
    longest = max(len(strips.row_label), *(len(shortened(n, _LONGEST)) for n, _ in strips.rows))
    # Two pixels between pictures, so that a row of them is one picture.
    gap = 6.0 if strips.curves else 2 * strips.side / strips.rows[0][1][0].shape[1]
    places = _Places(12 + CHARACTER * longest, 20.0, strips.side, gap)
    width = max(_NARROWEST, places.x(len(strips.moments)))
    parts = [*_heads(strips, places)]
    for row, (name, frames) in enumerate(strips.rows):
        label = {"x": places.left - 6, "y": places.y(row) + strips.side / 2 + 4}
        parts.append(element("text", shortened(name, _LONGEST), **label, class_="end name"))
        parts += (_curves if strips.curves else _pictures)(strips, frames, places, row)
    parts += _dots(strips, places)
    bottom = places.y(len(strips.rows))
    if strips.axes:
        shown = shortened(strips.axes, int((width - places.left) / CHARACTER))
        parts.append(element("text", shown, x=places.left, y=bottom + LINE - 4))
        bottom += LINE
    if strips.scale is not None and not strips.curves:
        parts += _colours(strips, strips.scale, places.left, bottom + 4)
        bottom += 2 * LINE + 6
    return Chart(
        title, alternative, Markup("").join(parts), width, bottom + 4, table,
        fills=False, legend=strips.legend,
    )  # fmt: skip


def _heads(strips: Strips, places: _Places) -> Iterator[Markup]:
    yield element("text", strips.row_label, x=places.left - 6, y=13.0, class_="end")
    for column, name in enumerate(strips.moments):
        shown = shortened(name, max(3, int((places.side + places.gap) / CHARACTER)))
        yield element("text", shown, x=places.x(column) + places.side / 2, y=13.0, class_="mid")


def _pictures(
    strips: Strips, frames: Sequence[Array], places: _Places, row: int
) -> Iterator[Markup]:
    """All frames as one picture; what is between them is covered."""
    picture, gap, top = _joined(strips, frames), places.gap, places.y(row)
    wide = (places.side + gap) * len(frames)
    yield _image(strips, picture, places.left - gap / 2, top, (wide, places.side))
    columns = range(len(frames) + 1)
    covers = [_box(places.x(k) - gap, top - 1, gap, places.side + 2) for k in columns]
    yield element("path", d="".join(covers), class_="paper")
    yield element("path", d="".join(places.edge(k, row) for k in columns[:-1]), class_="edge")


def _image(
    strips: Strips, picture: Picture, left: float, top: float, size: tuple[float, float]
) -> Markup:
    """A picture; dark pages invert its colours, unless they have no end at the page's white."""
    kind = None if strips.colours == CIVIDIS else "ramp"
    return element(
        "image", href=picture.source, x=left, y=top, width=size[0], height=size[1],
        preserveAspectRatio="none", class_=kind,
    )  # fmt: skip


def _colours(strips: Strips, scale: Linear, left: float, top: float) -> Iterator[Markup]:
    """The colours as a picture like the others, with the numbers at both ends and in the middle."""
    picture = shaded_picture(np.linspace(0, 1, 15)[np.newaxis], strips.colours, "")
    yield _image(strips, picture, left, top, (SCALE, BAR))
    yield element("path", d=_box(left, top, SCALE, BAR), class_="edge")
    yield scale_numbers((left, top), scale, number)


def _joined(strips: Strips, frames: Sequence[Array]) -> Picture:
    """Frames side by side, with their edges doubled, since browsers blend neighbouring pixels."""
    whole = np.concatenate([np.pad(y[::-1], ((0, 0), (1, 1)), "edge") for y in frames], axis=1)
    if strips.scale is None:
        return raster(whole.astype(np.int64), strips.colours, "")
    # Halves, since the range of values may overflow.
    low, high = strips.scale.low / 2, strips.scale.high / 2
    return shaded_picture((whole / 2 - low) / (high - low), strips.colours, "")


def _curves(strips: Strips, frames: Sequence[Array], places: _Places, row: int) -> Iterator[Markup]:
    """A curve for each moment, in a box, with a line at 0 where the scale has it."""
    scale, side, top = strips.scale or Linear(0.0, 1.0), places.side, places.y(row)
    zero = scale.place(0.0)
    for column, values in enumerate(frames):
        left = places.x(column)
        yield element("path", d=places.edge(column, row), class_="edge")
        if zero is not None and 0 < zero < 1:
            d = f"M{coordinate(left)} {coordinate(top + side * (1 - zero))}h{coordinate(side)}"
            yield element("path", d=d, class_="grid")
        across = np.linspace(left, left + side, len(values)).tolist()
        points, before = [], None
        for x, place in zip(across, map(scale.place, values.tolist()), strict=True):
            if place is not None:
                letter = "M" if before is None else "L"
                points.append(f"{letter}{coordinate(x)} {coordinate(top + side * (1 - place))}")
            before = place
        yield element("path", d="".join(points), class_="line k0")


def _dots(strips: Strips, places: _Places) -> Iterator[Markup]:
    """Lines of no length with round ends, a path for each series."""
    for dots in strips.dots:
        d = "".join(
            f"M{coordinate(places.x(column) + x * places.side)} "
            f"{coordinate(places.top + (1 - y) * places.side)}h0"
            for column in range(len(strips.moments))
            for x, y in zip(dots.x, dots.y, strict=True)
        )
        kind = f"spots {series_class(dots.series)} s{dots.series}"
        yield element("path", d=d, class_=kind)


def _box(left: float, top: float, wide: float, high: float) -> str:
    x, y, across, down = map(coordinate, (left, top, wide, high))
    return f"M{x} {y}h{across}v{down}h-{across}Z"
