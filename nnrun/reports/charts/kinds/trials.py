"""Charts of a search: its course, and its values against one parameter."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.reports.charts.axes import Frame, tick_labels, x_axis, y_axis
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.marks import Numbers, dots, line
from nnrun.reports.charts.scales import Linear, Log, Scale
from nnrun.reports.numbers import number

_WIDTH, _HEIGHT = 480.0, 300.0
_BEST, _OTHER = "k0", "k1"


def history(
    title: str,
    values: Numbers,
    best: Numbers,
    other: Numbers = (),
    *,
    y_label: str,
    names: tuple[str, str],
) -> Chart:
    """A dot for each trial, and the best so far as steps.

    Args:
        title: of the chart.
        values: of the trials, in the order of their numbers.
        best: the best value up to each.
        other: the best up to each trial of another search.
        y_label: what the values are.
        names: of this search and of the other one.
    """
    numbers = [float(n) for n in range(1, max(len(best), len(other)) + 1)]
    frame = _frame(Linear(0.5, max(len(numbers), 2) + 0.5), [*values, *other])
    drawing = y_axis(frame, y_label) + x_axis(frame, "trial", count=5)
    drawing += dots(frame, numbers[: len(values)], values, _BEST)
    if other:
        drawing += line(frame, *_steps(numbers, other), _OTHER)
    drawing += line(frame, *_steps(numbers, best), _BEST)
    rows = [
        [f"{n:.0f}", _at(values, k), _at(best, k), *([_at(other, k)] if other else [])]
        for k, n in enumerate(numbers)
    ]
    header = ["trial", "value", f"best of {names[0]}", *([f"best of {names[1]}"] if other else [])]
    legend = list(enumerate(names if other else names[:1]))
    words = ", ".join(f"{name} {number(_last(found))}" for name, found in
                      zip(names, (best, other), strict=True) if found)  # fmt: skip
    table = Table(header, rows, [frame.across(n) or 0.0 for n in numbers])
    alternative = f"The best at the end: {words}."
    return Chart(title, alternative, drawing, _WIDTH, _HEIGHT, table, legend=legend)


def slice_chart(
    title: str,
    x: Sequence[float],
    y: Sequence[float],
    best: int,
    *,
    x_label: str,
    y_label: str,
    ends: tuple[float, float] | None = None,
    log: bool = False,
    names: Sequence[str] = (),
) -> Chart:
    """A dot for each trial at its value of one parameter, a ring around the best.

    Args:
        title: of the chart.
        x: the parameter's values; indices into `names`, if there are any.
        y: the trials' values.
        best: the place of the best trial.
        x_label: the parameter.
        y_label: what the trials' values are.
        ends: of the parameter's range.
        log: whether it is shown by its logarithm.
        names: of options.
    """
    low, high = ends or (-0.5, len(names) - 0.5)
    scale: Scale = Log(low, high) if log else Linear(low, high) if low < high else Linear.over(x)
    frame = _frame(scale, y)

    def label(ticks: list[float]) -> list[str]:
        if not names:
            return tick_labels(ticks)
        return [names[int(t)] if t == int(t) and 0 <= t < len(names) else "" for t in ticks]

    ticks = [float(k) for k in range(len(names))] if names else None
    drawing = y_axis(frame, y_label) + x_axis(frame, x_label, label, count=4, ticks=ticks)
    drawing += dots(frame, x, y, _BEST) + dots(frame, [x[best]], [y[best]], _BEST, 6, "ring")
    shown = [names[int(v)] if names else f"{v:g}" for v in x]
    rows = sorted(zip(x, shown, map(number, y), strict=True))
    table = Table(
        [x_label, y_label],
        [[text, value] for _, text, value in rows],
        [frame.across(place) or 0.0 for place, _, _ in rows],
    )
    alternative = f"The best, {number(y[best])}, is at {x_label} {shown[best]}."
    return Chart(title, alternative, drawing, _WIDTH, _HEIGHT, table)


def _frame(x: Scale, y: Numbers) -> Frame:
    up = Linear.over(y)
    return Frame.around(x, up, labels=tick_labels(up.ticks(5)), width=_WIDTH, height=_HEIGHT)


def _steps(x: Sequence[float], y: Numbers) -> tuple[Numbers, Numbers]:
    """The corners of a line that keeps each value up to the next."""
    across: list[float | None] = []
    up: list[float | None] = []
    for place, value in zip(x, y, strict=False):
        if up:
            across.append(place)
            up.append(up[-1])
        across.append(place)
        up.append(value)
    return across, up


def _at(values: Numbers, place: int) -> str:
    return number(values[place]) if place < len(values) else ""


def _last(values: Numbers) -> float | None:
    return values[-1] if values else None
