"""A metric against one setting, of a grid or of a search, and the course of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from math import inf
from statistics import stdev

from nnrun.reports.charts.axes import TALL, Frame, Numbers, dots, line, tick_labels, x_axis, y_axis
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.scales import Linear, Log, Scale
from nnrun.reports.numbers import count, number, thinned, to_error

_BEST, _OTHER = "k0", "k1"
_MOST_TICKS = 6


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

    `best` and `other` are the best values up to each trial of this search and of another one,
    which have these names.
    """
    numbers = [float(n) for n in range(1, max(len(best), len(other)) + 1)]
    x, y = Linear(0.5, max(len(numbers), 2) + 0.5), Linear.over([*values, *other])
    frame = Frame.around(x, y, TALL)
    drawing = y_axis(frame, y_label) + x_axis(frame, "trial", count=5)
    drawing += dots(frame, numbers[: len(values)], values, _BEST)
    if other:
        drawing += line(frame, *_steps(numbers, other), _OTHER)
    drawing += line(frame, *_steps(numbers, best), _BEST)
    columns = [values, best, *([other] if other else [])]
    rows = [[str(n), *map(number, found)] for n, found in enumerate(zip_longest(*columns), start=1)]
    header = ["trial", "value", f"best of {names[0]}", *([f"best of {names[1]}"] if other else [])]
    legend = list(enumerate(names if other else names[:1]))
    words = ", ".join(f"{name} {number(found[-1])}" for name, found in
                      zip(names, (best, other), strict=True) if found)  # fmt: skip
    table = Table(header, rows, [frame.across(n) or 0.0 for n in numbers])
    return Chart(title, f"The best at the end: {words}.", drawing, *TALL, table, legend=legend)


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
    """A dot for each trial at its value of one parameter, a ring around the one at place `best`.

    The parameter is from the first to the second of `ends`, or one of options, whose `names` have
    the values in `x` as indices.
    """
    low, high = ends or (-0.5, len(names) - 0.5)
    scale: Scale = Log(low, high) if log else Linear(low, high) if low < high else Linear.over(x)
    frame = Frame.around(scale, Linear.over(y), TALL)
    ticks = [float(k) for k in range(len(names))] if names else None
    drawing = y_axis(frame, y_label)
    drawing += x_axis(frame, x_label, _tick_names(names), count=4, ticks=ticks)
    drawing += dots(frame, x, y, _BEST) + dots(frame, [x[best]], [y[best]], _BEST, 6, "ring")
    rows = sorted(zip(x, map(_value_of(names), x), map(number, y), strict=True))
    table = Table(
        [x_label, y_label],
        [[text, value] for _, text, value in rows],
        [frame.across(place) or 0.0 for place, _, _ in rows],
    )
    alternative = f"The best, {number(y[best])}, is at {x_label} {_value_of(names)(x[best])}."
    return Chart(title, alternative, drawing, *TALL, table)


def by_setting(
    title: str,
    x: Sequence[float],
    y: Sequence[float],
    *,
    x_label: str,
    y_label: str,
    most: int,
    names: Sequence[str] = (),
) -> Chart:
    """A metric against a setting: a dot for each run, a ring at the mean for each value.

    The values of a setting that is not a number are in `names`, and `x` has their indices. At most
    `most` runs and values are drawn, evenly spread; each mean is over all runs of its value.
    """
    groups: dict[float, list[float]] = {}
    for value, found in zip(x, y, strict=True):
        groups.setdefault(value, []).append(found)
    shown = {value: groups[value] for value in thinned(sorted(groups), most)}
    means = {value: sum(found) / len(found) for value, found in shown.items()}
    drawn = thinned(y, most)
    scale = Linear.over([*drawn, *means.values()])
    frame = Frame.around(_setting_scale([*groups], names), scale, TALL)
    ticks = [*means] if len(means) <= _MOST_TICKS else None
    drawing = y_axis(frame, y_label) + x_axis(frame, x_label, _tick_names(names), ticks=ticks)
    drawing += dots(frame, thinned(x, most), drawn, _BEST)
    if not names:
        drawing += line(frame, [*means], [*means.values()], f"{_BEST} d1")
    drawing += dots(frame, [*means], [*means.values()], _BEST, 5, "ring")
    text = _value_of(names)
    shown_means = {value: to_error(mean, _error(shown[value])) for value, mean in means.items()}
    rows = [
        [text(v), count(len(found)), shown_means[v], number(min(found)), number(max(found))]
        for v, found in shown.items()
    ]
    alternative = "Means: " + ", ".join(f"{m} at {text(v)}" for v, m in shown_means.items()) + "."
    if len(shown) < len(groups):
        alternative += f" {count(len(shown))} of {count(len(groups))} values are listed."
    header = [x_label, "runs", f"mean {y_label}", "lowest", "highest"]
    table = Table(header, rows, [frame.across(value) or 0.0 for value in means])
    return Chart(title, alternative, drawing, *TALL, table)


def _setting_scale(x: Sequence[float], names: Sequence[str]) -> Scale:
    """Of names by index, or of numbers with some room at both ends."""
    if names:
        return Linear(-0.5, len(names) - 0.5)
    if min(x) > 0 and max(x) / min(x) >= 20:
        return Log(min(x) / 1.5, max(x) * 1.5)
    room = (max(x) - min(x)) / 12
    return Linear(min(x) - room, max(x) + room) if 0 < room < inf else Linear.over(x)


def _error(values: Sequence[float]) -> float | None:
    """Twice the standard error of the mean; None for a single value."""
    return 2 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def _tick_names(names: Sequence[str]) -> Callable[[list[float]], list[str]]:
    """The labels of ticks: numbers, or names at their indices."""

    def label(ticks: list[float]) -> list[str]:
        return [names[int(t)] if t == int(t) and 0 <= t < len(names) else "" for t in ticks]

    return label if names else tick_labels


def _value_of(names: Sequence[str]) -> Callable[[float], str]:
    """The text of a value, which is a number or the index of a name."""
    return lambda value: names[int(value)] if names else f"{value:g}"


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
