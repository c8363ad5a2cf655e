"""Line charts, such as learning curves, with an optional band around each line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from nnrun.reports.charts.axes import HEIGHT, WIDTH, Frame, tick_labels, x_axis, y_axis
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.marks import Numbers, area, line
from nnrun.reports.charts.palette import series_class
from nnrun.reports.charts.scales import Linear, Log
from nnrun.reports.charts.svg import Value, element
from nnrun.reports.numbers import MISSING, number, to_error


@dataclass(frozen=True)
class Series:
    """One line.

    Args:
        name: shown in the legend.
        x: of its points.
        y: of its points; None leaves a gap.
        low: the lower end of a band around the line; empty for no band.
        high: the upper end.
        index: selects colour and dashes from the palette.
        other: whether it is grey until a reader asks for it.
    """

    name: str
    x: Sequence[float]
    y: Numbers
    low: Numbers = field(default=())
    high: Numbers = field(default=())
    index: int = 0
    other: bool = False

    @property
    def heights(self) -> list[float | None]:
        """All that has to be within the y scale; bands of grey lines may leave it."""
        bands = () if self.other else (*self.low, *self.high)
        return [*self.y, *bands]


@dataclass(frozen=True)
class Moment:
    """A place of the x axis with a few words, such as where training stopped."""

    x: float
    text: str


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
    domain: Sequence[float | None] = (),
    moment: Moment | None = None,
    size: tuple[float, float] = (WIDTH, HEIGHT),
) -> Chart:
    """A chart of lines.

    Args:
        title: of the chart.
        series: its lines; of crossing lines, the first is in front.
        x_label: of the axis.
        y_label: of the axis.
        log: whether the y scale is logarithmic.
        domain: more values for the y scale, so that several charts share one.
        moment: an upright line at one place.
        size: of the drawing.
    """
    values = [*domain, *(v for one in series for v in one.heights)]
    x = Linear.between(x for one in series for x in one.x)
    y = Log.over(values) if log else Linear.over(values)
    labels = tick_labels(y.ticks(5))
    frame = Frame.around(x, y, labels=labels, width=size[0], height=size[1])
    parts = [one_line(frame, one) for one in grey_first(series)]
    drawing = y_axis(frame, y_label) + x_axis(frame, x_label, count=5) + Markup("").join(parts)
    alternative = _alternative(series, values if log else (), y_label)
    if moment is not None:
        drawing += _upright(frame, moment)
        alternative += f" At {x_label} {_x(moment.x)}: {moment.text}."
    return Chart(
        title,
        alternative,
        drawing,
        *size,
        lines_table(frame, series, x_label),
        legend=[(one.index, one.name) for one in series if not one.other],
        grey=sum(one.other for one in series),
    )


def grey_first(series: Sequence[Series]) -> list[Series]:
    """In the order of drawing: of lines that cross, the first series in colour is in front."""
    grey, coloured = [[one for one in series if one.other is other] for other in (True, False)]
    return [*reversed(grey), *reversed(coloured)]


def one_line(frame: Frame, one: Series) -> Markup:
    """One line with its band."""
    class_ = series_class(one.index)
    band = area(frame, one.x, one.low, one.high, class_) if one.low else Markup("")
    drawn = line(frame, one.x, one.y, class_)
    kind = f"series s{one.index}{' other' * one.other}"
    return element("g", element("title", one.name), band, drawn, class_=kind)


def _upright(frame: Frame, moment: Moment) -> Markup:
    """The line at a moment, with its words above the plot, where they cover no curve."""
    x = frame.across(moment.x)
    if x is None:
        return Markup("")
    late = x > (frame.left + frame.right) / 2
    side: dict[str, Value] = {"x": x + 6, "class_": "name"}
    if late:
        side = {"x": x - 6, "class_": "name end"}
    words = element("text", moment.text, y=frame.top - 4, **side)
    line_ = element("path", d=f"M{x:.1f} {frame.top - 3:.1f}V{frame.bottom:.1f}", class_="moment")
    return line_ + words


def _alternative(series: Sequence[Series], on_log: Numbers, y_label: str) -> str:
    ends = [
        f"{one.name} goes from {number(known[0])} to {number(known[-1])}"
        for one in series[:6]
        if (known := [value for value in one.y if value is not None])
    ]
    more = f"; and {len(series) - 6} more" if len(series) > 6 else ""
    unseen = sum(value is not None and value <= 0 for value in on_log)
    gap = f" {unseen} values of zero or less have no place on a log scale." if unseen else ""
    if not ends:
        return f"There are no numbers of {y_label} to show."
    return f"{y_label}: {'; '.join(ends)}{more}.{gap}"


def lines_table(frame: Frame, series: Sequence[Series], x_label: str) -> Table:
    """A row for each x, a column for each series; of a line with a band, in its digits."""
    places = sorted({x for one in series for x in one.x})
    heights = [_heights(one) for one in series]
    rows = [[_x(x), *(known.get(x, MISSING) for known in heights)] for x in places]
    spots = [frame.across(x) or 0.0 for x in places]
    return Table([x_label, *(one.name for one in series)], rows, spots)


def _heights(one: Series) -> dict[float, str]:
    if not one.low:
        return {x: number(y) for x, y in zip(one.x, one.y, strict=True)}
    points = zip(one.x, one.y, one.low, one.high, strict=True)
    return {
        x: to_error(y, None if low is None or high is None else (high - low) / 2)
        for x, y, low, high in points
    }


def _x(value: float) -> str:
    return f"{int(value):,}" if value == int(value) and abs(value) < 1e15 else number(value)
