"""The values of a row's seeds, small enough for a cell of a table."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nnrun.reports.charts.axes import Frame
from nnrun.reports.charts.scales import Scale
from nnrun.reports.charts.svg import element
from nnrun.reports.numbers import number

_WIDTH, _HEIGHT = 130.0, 22.0


def strip(
    values: Sequence[float], scale: Scale, low: float | None, high: float | None, mean: float
) -> Markup:
    """A dot for each run, a bar for the interval of the mean, and a line at the mean.

    All rows of a table share the scale; `low` and `high` are None where there is no interval.
    """
    frame = Frame(scale, scale, 5, 3, _WIDTH - 5, _HEIGHT - 3)
    parts = [element("path", d=f"M5 {_HEIGHT / 2:g}H{_WIDTH - 5:g}", class_="grid")]
    left, right = frame.across(low), frame.across(high)
    if left is not None and right is not None:
        left, right = max(left, frame.left), min(right, frame.right)
        parts.append(
            element(
                "rect", x=left, y=6.0, width=max(right - left, 1.0), height=10.0, class_="area k0"
            )
        )
    spots = [frame.across(value) for value in values]
    parts += [
        element("circle", cx=spot, cy=_HEIGHT / 2, r=2.5, class_="dot k0")
        for spot in spots
        if spot is not None
    ]
    middle = frame.across(mean)
    if middle is not None:
        parts.append(element("path", d=f"M{middle:.1f} 3V19", class_="line k1 d0"))
    label = f"{len(values)} values from {number(min(values))} to {number(max(values))}"
    box = Markup(f"0 0 {_WIDTH:g} {_HEIGHT:g}")
    return element(
        "svg", parts, viewBox=box, width=_WIDTH, height=_HEIGHT, class_="chart strip", role="img",
        aria_label=label,
    )  # fmt: skip
