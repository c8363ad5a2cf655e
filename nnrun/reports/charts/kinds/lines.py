"""Line charts: learning curves with bands around lines, and shares against shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

from markupsafe import Markup

from nnrun.reports.charts.axes import (
    SIZE,
    TALL,
    Frame,
    Linear,
    Log,
    Numbers,
    area,
    clipped,
    line,
    rule,
    x_axis,
    y_axis,
)
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.style import series_class
from nnrun.reports.charts.svg import Value, element
from nnrun.reports.numbers import MISSING, number, thinned, to_error

_NOTHING = Markup("")
_MOST_NAMED = 6  # in the text alternative


@dataclass(frozen=True)
class Series:
    """One line, with a gap where y is None.

    There is a band from `low` to `high` around it, unless these are empty; `index` selects colour
    and dashes, and a line that is `other` is grey until a reader asks for it.
    """

    name: str
    x: Sequence[float]
    y: Numbers
    low: Numbers = field(default=())
    high: Numbers = field(default=())
    index: int = 0
    other: bool = False

    @classmethod
    def thinned(
        cls, name: str, x: Sequence[float], y: Sequence[float], index: int, most: int = 60
    ) -> Series:
        """A line of at most this many points, with gaps where numbers are not finite."""
        known = [value if isfinite(value) else None for value in thinned(y, most)]
        return cls(name, thinned(x, most), known, index=index)

    @property
    def heights(self) -> list[float | None]:
        """All that has to be within the y scale; bands of grey lines may leave it."""
        bands = () if self.other else (*self.low, *self.high)
        return [*self.y, *bands]


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
    domain: Sequence[float | None] = (),
    moment: tuple[float, str] | None = None,
    reach: Sequence[float] = (),
    size: tuple[float, float] = SIZE,
) -> Chart:
    """A chart of lines; of lines that cross, the first is in front.

    The y scale holds the values of `domain` instead of those of the lines, so that several charts
    share one; lines end where they leave it. `log` is whether it is logarithmic. There is an
    upright line at a `moment`, which has a few words, such as where training stopped; the x scale
    holds the values of `reach`, too.
    """
    values = domain or [v for one in series for v in one.heights]
    x = Linear.between([*reach, *(x for one in series for x in one.x)])
    frame = Frame.around(x, Log.over(values) if log else Linear.over(values), size)
    words = _ends(series, values if log else (), y_label)
    after = _NOTHING
    if moment is not None:
        after = _upright(frame, *moment)
        words += f" At {x_label} {_x(moment[0])}: {moment[1]}."
    return _drawn(title, words, frame, series, (x_label, y_label), size, after=after)


def rates(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    guide: str = "",
    summary: str = "",
) -> Chart:
    """A line for each class over axes from 0 to 1: ROC, precision-recall, gains.

    `guide` says what a point on the dashed diagonal means, empty for no diagonal; `summary` is a
    further sentence of the text alternative.
    """
    scale = Linear(0.0, 1.0)
    frame = Frame.around(scale, scale, TALL)
    diagonal = rule(frame, (0.0, 0.0), (1.0, 1.0)) if guide else _NOTHING
    words = " ".join(filter(None, (_middle(series, x_label, y_label), summary, guide)))
    return _drawn(title, words, frame, series, (x_label, y_label), TALL, diagonal)


def _drawn(
    title: str,
    alternative: str,
    frame: Frame,
    series: Sequence[Series],
    labels: tuple[str, str],
    size: tuple[float, float],
    before: Markup = _NOTHING,
    after: Markup = _NOTHING,
) -> Chart:
    # Of lines that cross, the first series in colour is in front.
    in_front = sorted(series, key=lambda one: one.other)[::-1]
    drawing = y_axis(frame, labels[1]) + x_axis(frame, labels[0], count=5) + before
    drawing += clipped(frame, (_line(frame, one) for one in in_front)) + after
    return Chart(
        title, alternative, drawing, *size, _table(frame, series, labels[0]),
        legend=[(one.index, one.name) for one in series if not one.other],
        grey=sum(one.other for one in series),
    )  # fmt: skip


def _line(frame: Frame, one: Series) -> Markup:
    class_ = series_class(one.index)
    band = area(frame, one.x, one.low, one.high, class_) if one.low else _NOTHING
    drawn = line(frame, one.x, one.y, class_)
    kind = f"series s{one.index}{' other' * one.other}"
    return element("g", element("title", one.name), band, drawn, class_=kind)


def _upright(frame: Frame, moment: float, text: str) -> Markup:
    """The line at a moment, with its words above the plot, where they cover no curve."""
    x = frame.across(moment)
    if x is None:
        return _NOTHING
    late = x > (frame.left + frame.right) / 2
    side: dict[str, Value] = {"x": x + 6, "class_": "name"}
    if late:
        side = {"x": x - 6, "class_": "name end"}
    words = element("text", text, y=frame.top - 4, **side)
    line_ = element("path", d=f"M{x:.1f} {frame.top - 3:.1f}V{frame.bottom:.1f}", class_="moment")
    return line_ + words


def _ends(series: Sequence[Series], on_log: Numbers, y_label: str) -> str:
    ends = [
        f"{one.name} goes from {number(known[0])} to {number(known[-1])}"
        for one in series[:_MOST_NAMED]
        if (known := [value for value in one.y if value is not None])
    ]
    unseen = sum(value is not None and value <= 0 for value in on_log)
    gap = f" {unseen} values of zero or less have no place on a log scale." if unseen else ""
    if not ends:
        return f"There are no numbers of {y_label} to show."
    return f"{y_label}: {'; '.join(ends)}{_more(series)}.{gap}"


def _middle(series: Sequence[Series], x_label: str, y_label: str) -> str:
    """The height of each line in the middle of its points."""
    heights = [
        f"{one.name} {number(one.y[len(one.y) // 2])} at {number(one.x[len(one.x) // 2])}"
        for one in series[:_MOST_NAMED]
        if one.x
    ]
    return f"{y_label} against {x_label}: {'; '.join(heights)}{_more(series)}."


def _more(series: Sequence[Series]) -> str:
    left = len(series) - _MOST_NAMED
    return f"; and {left} more" if left > 0 else ""


def _table(frame: Frame, series: Sequence[Series], x_label: str) -> Table:
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
