"""Rows of pictures, a column for each moment: functions of the plane or curves, over training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.kinds.heatmap import colour_marks
from nnrun.reports.charts.palette import Ramp, series_class
from nnrun.reports.charts.pictures import Picture, raster, shaded_picture
from nnrun.reports.charts.scales import Linear
from nnrun.reports.charts.svg import CHARACTER, LINE, coordinate, element, shortened

Array = npt.NDArray[np.float64]
LARGE, SMALL = 112.0, 48.0
"""The sides of pictures: eight of them fill a page, or one of its two columns."""
_LONGEST = 14  # of the name of a row
_SCALE = 34.0  # the height of a scale of colours
_AXIS = 80.0  # what names of axes need, at least


class Dots(NamedTuple):
    """Rows of the data: their series, and their places as shares of the picture's sides."""

    series: int
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Strips:
    """What a filmstrip shows.

    Args:
        moments: the name of each column.
        rows: the name of each row, with a function for each moment: values (height, width) from
            bottom to top, or (width,) for a curve.
        colours: of the values, or if there is no scale, of whole numbers from 0 on.
        scale: of all values; curves have it from bottom to top.
        side: of a picture.
        dots: in every picture of the first row.
        text: formats the ends of the scale.
        axes: what is across and what is up, in words.
        row_label: what rows are.
        legend: the number and name of each series of dots.
    """

    moments: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Array]]]
    colours: Ramp
    scale: Linear | None
    side: float
    text: Callable[[float], str] = str
    dots: Sequence[Dots] = ()
    axes: str = ""
    row_label: str = ""
    legend: Sequence[tuple[int, str]] = ()

    @property
    def curves(self) -> bool:
        """Whether functions are of one number."""
        return self.rows[0][1][0].ndim == 1


class _Places(NamedTuple):
    """Where pictures are: of the first one, and from one to the next."""

    left: float
    top: float
    across: float
    down: float


def filmstrip(title: str, alternative: str, strips: Strips, table: Table) -> Chart:
    """The rows below each other, with the scale of their colours or values below."""
    gap = _gap(strips)
    longest = max(len(shortened(name, _LONGEST)) for name, _ in strips.rows)
    places = _Places(
        12 + CHARACTER * max(longest, len(strips.row_label)),
        20.0,
        strips.side + gap,
        strips.side + gap,
    )
    width = places.left + places.across * len(strips.moments) + 2
    parts = [*_heads(strips, places)]
    for row, (name, frames) in enumerate(strips.rows):
        top = places.top + row * places.down
        middle = top + strips.side / 2 + 4
        label = shortened(name, _LONGEST)
        parts.append(element("text", label, x=places.left - 6, y=middle, class_="end name"))
        draw = _curves if strips.curves else _pictures
        parts += draw(strips, frames, places.left, top, f"{title}: {name}")
        if row == 0:
            parts += _dots(strips, places)
    bottom = places.top + len(strips.rows) * places.down
    if strips.axes:
        bottom += LINE - 2
        most = max(int(_AXIS), int((width - places.left) / CHARACTER))
        parts.append(element("text", shortened(strips.axes, most), x=places.left, y=bottom - 2))
    if strips.scale is not None and not strips.curves:
        marks = colour_marks(places.left, bottom + 4, strips.colours, strips.scale, strips.text)
        parts.append(marks)
        bottom += _SCALE
    return Chart(
        title, alternative, Markup("").join(parts), max(width, 200.0), bottom + 6, table,
        fills=False, legend=strips.legend,
    )  # fmt: skip


def _gap(strips: Strips) -> float:
    """Between pictures: two of their pixels, so that a row of them is one picture."""
    return 6.0 if strips.curves else 2 * strips.side / strips.rows[0][1][0].shape[1]


def _heads(strips: Strips, places: _Places) -> Iterator[Markup]:
    if strips.row_label:
        yield element("text", strips.row_label, x=places.left - 6, y=13.0, class_="end")
    for column, name in enumerate(strips.moments):
        x = places.left + places.across * column + strips.side / 2
        shown = shortened(name, max(3, int(places.across / CHARACTER)))
        yield element("text", shown, x=x, y=13.0, class_="mid")


def _pictures(
    strips: Strips, frames: Sequence[Array], left: float, top: float, label: str
) -> Iterator[Markup]:
    """All frames as one picture; what is between them is covered."""
    picture, gap = _joined(strips, frames, label), _gap(strips)
    wide = (strips.side + gap) * len(frames)
    yield element(
        "image", href=picture.source, x=left - gap / 2, y=top, width=wide, height=strips.side,
        preserveAspectRatio="none", class_="ramp",
    )  # fmt: skip
    covers = "".join(
        f"M{coordinate(left - gap + column * (strips.side + gap))} {coordinate(top - 1)}"
        f"h{coordinate(gap)}v{coordinate(strips.side + 2)}h{coordinate(-gap)}Z"
        for column in range(len(frames) + 1)
    )
    yield element("path", d=covers, class_="paper")


def _joined(strips: Strips, frames: Sequence[Array], label: str) -> Picture:
    """Frames side by side, with their edges doubled, since browsers blend neighbouring pixels."""
    whole = np.concatenate([np.pad(one[::-1], ((0, 0), (1, 1)), "edge") for one in frames], axis=1)
    if strips.scale is None:
        return raster(whole.astype(np.int64), strips.colours, label)
    low, high = strips.scale.low, strips.scale.high
    return shaded_picture((whole - low) / (high - low), strips.colours, label)


def _curves(
    strips: Strips, frames: Sequence[Array], left: float, top: float, label: str
) -> Iterator[Markup]:
    """A curve for each moment, in a box; the line at 0 is drawn where the scale has it."""
    scale = strips.scale or Linear(0.0, 1.0)
    zero = scale.place(0.0)
    for column, values in enumerate(frames):
        start = left + column * (strips.side + _gap(strips))
        yield element("rect", x=start, y=top, width=strips.side, height=strips.side, class_="edge")
        if zero is not None and 0 < zero < 1:
            y = top + strips.side * (1 - zero)
            yield element("path", d=f"M{start:.1f} {y:.1f}h{strips.side:g}", class_="grid")
        across = np.linspace(start, start + strips.side, len(values))
        d, joined = [], False
        for x, value in zip(across.tolist(), values.tolist(), strict=True):
            place = scale.place(value)
            if place is not None:
                y = top + strips.side * (1 - min(max(place, 0.0), 1.0))
                d.append(f"{'L' if joined else 'M'}{coordinate(x)} {coordinate(y)}")
            joined = place is not None
        yield element("path", d="".join(d), class_="line k0")


def _dots(strips: Strips, places: _Places) -> Iterator[Markup]:
    """Zero-length lines with round ends, a path for each series."""
    for dots in strips.dots:
        d = "".join(
            f"M{coordinate(places.left + places.across * column + x * strips.side)} "
            f"{coordinate(places.top + (1 - y) * strips.side)}h0"
            for column in range(len(strips.moments))
            for x, y in zip(dots.x, dots.y, strict=True)
        )
        kind = f"spots {series_class(dots.series)} s{dots.series}"
        yield element("path", d=d, class_=kind)
