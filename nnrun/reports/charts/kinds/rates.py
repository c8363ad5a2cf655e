"""Charts of shares against shares, a line for each class: ROC, precision-recall, gains."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nnrun.reports.charts.axes import Frame, tick_labels, x_axis, y_axis
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.lines import Series, grey_first, lines_table, one_line
from nnrun.reports.charts.marks import rule
from nnrun.reports.charts.scales import Linear
from nnrun.reports.numbers import number

_WIDTH, _HEIGHT = 480.0, 300.0
_MOST_NAMED = 6


def rates(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    guide: str = "",
    summary: str = "",
) -> Chart:
    """A chart whose axes go from 0 to 1.

    Args:
        title: of the chart.
        series: a line for each class.
        x_label: of the axis.
        y_label: of the axis.
        guide: what a point on the dashed diagonal means; empty for no diagonal.
        summary: a further sentence of the text alternative.
    """
    scale = Linear(0.0, 1.0)
    frame = Frame.around(
        scale, scale, labels=tick_labels(scale.ticks(5)), width=_WIDTH, height=_HEIGHT
    )
    drawing = y_axis(frame, y_label) + x_axis(frame, x_label, count=5)
    drawing += rule(frame, (0.0, 0.0), (1.0, 1.0)) if guide else Markup("")
    drawing += Markup("").join(one_line(frame, one) for one in grey_first(series))
    sentences = (_middle(series, x_label, y_label), summary, guide)
    return Chart(
        title,
        " ".join(filter(None, sentences)),
        drawing,
        _WIDTH,
        _HEIGHT,
        lines_table(frame, series, x_label),
        legend=[(one.index, one.name) for one in series if not one.other],
        grey=sum(one.other for one in series),
    )


def _middle(series: Sequence[Series], x_label: str, y_label: str) -> str:
    """The height of each line in the middle of its points."""
    named = series[:_MOST_NAMED]
    heights = [
        f"{one.name} {number(one.y[len(one.y) // 2])} at {number(one.x[len(one.x) // 2])}"
        for one in named
        if one.x
    ]
    more = f"; and {len(series) - len(named)} more" if len(series) > len(named) else ""
    return f"{y_label} against {x_label}: {'; '.join(heights)}{more}."
