"""A network's predictions over the plane of two features, with rows of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.reports.charts.axes import Frame, Linear, x_axis, y_axis
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.kinds.heatmap import colour_marks
from nnrun.reports.charts.pictures import Picture, raster, shaded_picture
from nnrun.reports.charts.style import CIVIDIS, SERIES, rgb, series_class
from nnrun.reports.charts.svg import element
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
