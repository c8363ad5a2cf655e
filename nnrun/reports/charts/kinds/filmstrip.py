"""Rows of pictures, a column for each moment: functions of the plane or curves, over training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.pictures import Picture, raster, shaded_picture
from nnrun.reports.charts.style import CIVIDIS, Ramp, series_class
from nnrun.reports.charts.svg import CHARACTER, LINE, coordinate, element
from nnrun.reports.numbers import number

Array = npt.NDArray[np.float64]
LARGE, SMALL = 112.0, 48.0
"""The sides of pictures: eight of them fill a page, or one of its two columns."""
_LONGEST = 14  # of the name of a row
_SCALE, _BAR = 180.0, 9.0  # the size of a scale of colours
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
    """Where pictures are: the corner of the first one, their sides, and the gaps between them."""

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
    yield _image(strips, picture, left, top, (_SCALE, _BAR))
    yield element("path", d=_box(left, top, _SCALE, _BAR), class_="edge")
    for share, side in ((0.0, "start"), (0.5, "mid"), (1.0, "end")):
        word = number(scale.low * (1 - share) + scale.high * share)
        yield element("text", word, x=left + share * _SCALE, y=top + _BAR + 12, class_=side)


def _joined(strips: Strips, frames: Sequence[Array]) -> Picture:
    """Frames side by side, with their edges doubled, since browsers blend neighbouring pixels."""
    whole = np.concatenate([np.pad(one[::-1], ((0, 0), (1, 1)), "edge") for one in frames], axis=1)
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
