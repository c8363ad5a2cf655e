"""Scatter charts: predicted against true, residuals, calibration, a metric against a setting."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from markupsafe import Markup

from nnrun.reports.charts.axes import Frame, tick_labels, x_axis, y_axis
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.marks import dots, line, rule
from nnrun.reports.charts.scales import Linear, Log, Scale
from nnrun.reports.numbers import count, number

_WIDTH, _HEIGHT = 340.0, 300.0
_MOST_ROWS = 200
_MOST_TICKS = 6


def predicted_and_true(title: str, true: Sequence[float], predicted: Sequence[float]) -> Chart:
    """A point for each row; points on the dashed line are exact predictions."""
    scale = Linear.over([*true, *predicted])
    frame = _frame(scale, scale)
    drawing = _axes(frame, "true", "predicted")
    drawing += rule(frame, (scale.low, scale.low), (scale.high, scale.high))
    drawing += dots(frame, true, predicted, "k0")
    errors = [abs(a - b) for a, b in zip(true, predicted, strict=True)]
    farthest = number(max(errors, default=0.0))
    alternative = (
        f"{count(len(true))} rows, with a line where predicted and true are equal; the farthest "
        f"point is {farthest} from it."
    )
    rows = [[number(a), number(b)] for a, b in _first(true, predicted)]
    return Chart(title, alternative, drawing, _WIDTH, _HEIGHT, Table(["true", "predicted"], rows))


def residuals(title: str, predicted: Sequence[float], residual: Sequence[float]) -> Chart:
    """Residuals (true − predicted) against predictions."""
    x, y = Linear.over(predicted), Linear.over([*residual, 0.0])
    frame = _frame(x, y)
    drawing = _axes(frame, "predicted", "true − predicted")
    drawing += rule(frame, (x.low, 0.0), (x.high, 0.0)) + dots(frame, predicted, residual, "k1")
    mean = sum(residual) / len(residual) if residual else None
    alternative = (
        f"{count(len(residual))} residuals around a line at zero, from {number(min(residual))} to "
        f"{number(max(residual))}, {number(mean)} in the mean."
        if residual
        else "There are no residuals."
    )
    rows = [[number(a), number(b)] for a, b in _first(predicted, residual)]
    return Chart(
        title, alternative, drawing, _WIDTH, _HEIGHT, Table(["predicted", "residual"], rows)
    )


def calibration(
    title: str, predicted: Sequence[float], correct: Sequence[float], rows_in: Sequence[int]
) -> Chart:
    """The predicted probability against the share of correct predictions.

    Each bin has its mean probability of the predicted class, its share of correct predictions and
    its number of rows.
    """
    scale = Linear(0.0, 1.0)
    frame = _frame(scale, scale)
    drawing = _axes(frame, "predicted probability", "share correct")
    drawing += rule(frame, (0.0, 0.0), (1.0, 1.0)) + line(frame, predicted, correct, "k0 d0")
    most = max(rows_in, default=1)
    for x, y, n in zip(predicted, correct, rows_in, strict=True):
        drawing += dots(frame, [x], [y], "k0", 2.5 + 5 * (n / most) ** 0.5, "point")
    gaps = [abs(a - b) for a, b in zip(predicted, correct, strict=True)]
    total = sum(rows_in) or 1
    expected = sum(gap * n for gap, n in zip(gaps, rows_in, strict=True)) / total
    alternative = (
        f"On the dashed line, the probability equals the share correct. The mean distance from "
        f"it, weighted by rows (the expected calibration error), is {number(expected)}."
    )
    rows = [
        [number(a), number(b), count(n)]
        for a, b, n in zip(predicted, correct, rows_in, strict=True)
    ]
    table = Table(["mean probability", "share correct", "rows"], rows)
    return Chart(title, alternative, drawing, _WIDTH, _HEIGHT, table)


def by_setting(
    title: str,
    x: Sequence[float],
    y: Sequence[float],
    *,
    x_label: str,
    y_label: str,
    names: Sequence[str] | None = None,
) -> Chart:
    """A metric against a setting: a dot for each run, a ring at the mean for each value.

    The values of a setting that is not a number are in `names`, and `x` has their indices.
    """
    shown: Scale
    if names is not None:
        shown = Linear(-0.5, len(names) - 0.5)
    elif min(x) > 0 and max(x) / min(x) >= 20:
        shown = Log(min(x) / 1.5, max(x) * 1.5)
    else:
        room = (max(x) - min(x)) / 12
        shown = Linear(min(x) - room, max(x) + room) if 0 < room < inf else Linear.over(x)
    frame = _frame(shown, Linear.over(y))
    groups = {
        value: [b for a, b in zip(x, y, strict=True) if a == value] for value in sorted(set(x))
    }
    means = {value: sum(found) / len(found) for value, found in groups.items()}

    def label(ticks: list[float]) -> list[str]:
        if names is None:
            return tick_labels(ticks)
        return [names[int(t)] if t == int(t) and 0 <= t < len(names) else "" for t in ticks]

    ticks = [*means] if len(means) <= _MOST_TICKS else None
    drawing = y_axis(frame, y_label) + x_axis(frame, x_label, label, ticks=ticks)
    drawing += dots(frame, x, y, "k0", 2.5)
    joined = "" if names is not None else line(frame, [*means], [*means.values()], "k0 d1")
    drawing += Markup(joined) + dots(frame, [*means], [*means.values()], "k0", 5, "ring")

    def text(value: float) -> str:
        return names[int(value)] if names is not None else f"{value:g}"

    rows = [[text(value), count(len(groups[value])), number(mean)] for value, mean in means.items()]
    alternative = "Means: " + ", ".join(f"{number(m)} at {text(v)}" for v, m in means.items()) + "."
    table = Table([x_label, "runs", f"mean {y_label}"], rows)
    return Chart(title, alternative, drawing, _WIDTH, _HEIGHT, table)


def _frame(x: Scale, y: Scale) -> Frame:
    return Frame.around(x, y, labels=tick_labels(y.ticks(5)), width=_WIDTH, height=_HEIGHT)


def _axes(frame: Frame, across: str, up: str) -> Markup:
    return y_axis(frame, up) + x_axis(frame, across, count=4)


def _first(one: Sequence[float], other: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(one, other, strict=True))[:_MOST_ROWS]
