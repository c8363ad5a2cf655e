"""A metric against one setting, of a grid or of a search, and the course of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import inf
from statistics import stdev
from typing import NamedTuple

from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.reports.charts.axes import (
    TALL,
    Frame,
    Linear,
    Log,
    Numbers,
    Scale,
    dots,
    line,
    tick_labels,
    x_axis,
    y_axis,
)
from nnrun.reports.charts.chart import (
    CHARACTER,
    LINE,
    Chart,
    Table,
    amount_line_class,
    coordinate,
    element,
)
from nnrun.reports.numbers import count, number, thinned, to_error

_BEST, _OTHER = "k0", "k1"
_MOST_TICKS = 6
_GAP = 4.0  # between the names of neighbouring values
_ROW, _TOP, _SIDE = 34.0, 8.0, 20.0  # of values below each other; the room above and beside them
_MOST_ROWS, _LONGEST_NAME = 40, 50


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
    rows = [[str(n), *map(number, y_of)] for n, y_of in enumerate(zip_longest(*columns), start=1)]
    header = ["trial", "value", f"best of {names[0]}", *([f"best of {names[1]}"] if other else [])]
    legend = list(enumerate(names if other else names[:1]))
    words = ", ".join(f"{name} {number(y_of[-1])}" for name, y_of in
                      zip(names, (best, other), strict=True) if y_of)  # fmt: skip
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
    plane = _Plane.of(scale, Linear.over(y), (x_label, y_label), names, count=4)
    drawing = plane.axes + plane.dots(x, y) + plane.dots([x[best]], [y[best]], 6, "ring")
    trials = sorted(zip(x, map(_value_of(names), x), map(number, y), strict=True))
    alternative = f"The best, {number(y[best])}, is at {x_label} {_value_of(names)(x[best])}."
    return plane.chart(title, alternative, drawing, [x_label, y_label], trials)


def by_setting(
    title: str,
    x: Sequence[float],
    y: Sequence[float],
    *,
    x_label: str,
    y_label: str,
    most: int,
    names: Sequence[str] = (),
    counted: str = "runs",
) -> Chart:
    """A metric against a setting: a dot for each run, a ring at the mean for each value.

    The values of a setting that is not a number are in `names`, and `x` has their indices. At most
    `most` runs and values are drawn, evenly spread; each mean is over all runs of its value. What
    is `counted` may be rows: then one column of a table is beside another.
    """
    groups: dict[float, list[float]] = {}
    for value, results in zip(x, y, strict=True):
        groups.setdefault(value, []).append(results)
    shown = {value: groups[value] for value in thinned(sorted(groups), most)}
    means = {value: sum(results) / len(results) for value, results in shown.items()}
    drawn = thinned(y, most)
    scale = Linear.over([*drawn, *means.values()])
    ticks = [*means] if len(means) <= _MOST_TICKS else None
    across = _setting_scale([*groups], names)
    plane = _Plane.of(across, scale, (x_label, y_label), names, ticks)
    drawing = plane.axes + plane.dots(thinned(x, most), drawn)
    if not names:
        drawing += line(plane.frame, [*means], [*means.values()], f"{_BEST} d1")
    drawing += plane.dots([*means], [*means.values()], 5, "ring")
    text = _value_of(names)
    shown_means = {value: to_error(mean, _error(shown[value])) for value, mean in means.items()}
    rows = [
        (v, text(v), count(len(of)), shown_means[v], number(min(of)), number(max(of)))
        for v, of in shown.items()
    ]
    alternative = "Means: " + ", ".join(f"{m} at {text(v)}" for v, m in shown_means.items()) + "."
    if len(shown) < len(groups):
        alternative += f" {count(len(shown))} of {count(len(groups))} values are listed."
    header = [x_label, counted, f"mean {y_label}", "lowest", "highest"]
    return plane.chart(title, alternative, drawing, header, rows)


class _Plane(NamedTuple):
    """The axes of a setting and a metric, and the height of both.

    The values of the setting are side by side, or below each other (`down`).
    """

    frame: Frame
    axes: Markup
    height: float
    down: bool

    @classmethod
    def of(
        cls,
        across: Scale,
        up: Scale,
        labels: tuple[str, str],
        names: Sequence[str],
        ticks: list[float] | None = None,
        count: int = 6,
    ) -> _Plane:
        """Named values are below each other where their names have no room side by side."""
        frame = Frame.around(across, up, TALL)
        room = (frame.right - frame.left) / max(1, len(names))
        if any(len(name) * CHARACTER + _GAP > room for name in names) and len(names) <= _MOST_ROWS:
            return cls._of_rows(names, up, labels[1])
        if names and room > LINE:
            ticks = [float(index) for index in range(len(names))]
        axes = y_axis(frame, labels[1])
        axes += x_axis(frame, labels[0], _tick_names(names), count, ticks)
        return cls(frame, axes, TALL[1], False)

    @classmethod
    def _of_rows(cls, names: Sequence[str], scale: Scale, label: str) -> _Plane:
        """Each name above the line of its row."""
        rows, bottom = Linear(len(names) - 0.5, -0.5), _TOP + _ROW * len(names)
        frame = Frame(scale, rows, _SIDE, _TOP, TALL[0] - _SIDE, bottom)
        parts = [x_axis(frame, label)]
        for index, name in enumerate(names):
            y = _TOP + _ROW * (index + 0.5)
            d = f"M{frame.left:.1f} {y:.1f}H{frame.right:.1f}"
            text = shortened(name, _LONGEST_NAME)
            parts.append(element("path", d=d, class_="grid"))
            parts.append(element("text", text, x=frame.left, y=y - 8, class_="name"))
        return cls(frame, Markup("").join(parts), bottom + 44, True)

    def dots(self, x: Numbers, y: Numbers, radius: float = 2.5, kind: str = "dot") -> Markup:
        """A dot for each value of the setting with one of the metric."""
        spots = (y, x) if self.down else (x, y)
        return dots(self.frame, *spots, _BEST, radius, kind)

    def chart(
        self,
        title: str,
        alternative: str,
        drawing: Markup,
        header: Sequence[str],
        rows: Sequence[tuple[float, *tuple[str, ...]]],
    ) -> Chart:
        """The chart with its table; each row begins with the value that it is of."""
        place = self.frame.up if self.down else self.frame.across
        spots = [place(value) or 0.0 for value, *_ in rows]
        table = Table(header, [cells for _, *cells in rows], spots, down=self.down)
        return Chart(title, alternative, drawing, TALL[0], self.height, table)


def _setting_scale(x: Sequence[float], names: Sequence[str]) -> Scale:
    """Scale of names by index, or of numbers with some room at both ends."""
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


# Parallel coordinates: an axis for each setting and one for the metric, a line for each config.

_TOP_OF_AXES, _BOTTOM, _HEIGHT = 44.0, 250.0, 270.0
_LEAST, _BESIDE = 130.0, 24.0  # between axes, and of that what a label leaves
_LONGEST = 32
_APART = 13.0


@dataclass(frozen=True)
class Coordinate:
    """One axis.

    Texts among its values, one for each config, are placed in their order of appearance; numbers
    may come with their `texts`.
    """

    name: str
    values: Sequence[float | str]
    texts: Sequence[str] = ()

    def text(self, index: int) -> str:
        """A value in words."""
        value = self.values[index]
        if self.texts:
            return self.texts[index]
        return value if isinstance(value, str) else number(value)


def parallel(title: str, axes: Sequence[Coordinate], best: int) -> Chart:
    """A line for each config across all axes, coloured by the last axis.

    The last axis is that of the metric; the config with index `best` has a thick line.
    """
    columns = [_places(axis) for axis in axes]
    longest = max(
        len(shortened(text, _LONGEST)) for _, labels in columns[:-1] for _, text in labels
    )
    space = max(_LEAST, CHARACTER * longest + _BESIDE)
    width = space * (len(axes) - 1) + 140
    spots = [60 + space * index for index in range(len(axes))]
    parts = []
    for index, axis in enumerate(axes):
        x = spots[index]
        d = f"M{x:.1f} {_TOP_OF_AXES:.1f}V{_BOTTOM:.1f}"
        parts += [
            element("path", d=d, class_="axis"),
            element("text", shortened(axis.name, 20), x=x, y=_TOP_OF_AXES - 24, class_="mid name"),
        ]
        last = None
        for place, label in sorted(columns[index][1]):
            y = _up(place)
            if last is not None and last - y < _APART:
                continue
            last = y
            shown = shortened(label, _LONGEST)
            # Twice, since some programs draw the outline of a text over it.
            parts += [
                element("text", shown, x=x + 6, y=y + 4, class_=kind) for kind in ("halo", None)
            ]
    order = [n for n in range(len(axes[-1].values)) if n != best] + [best]
    lines = [
        _line(number_, [places[number_] for places, _ in columns], spots, axes, number_ == best)
        for number_ in order
    ]
    rows = [[axis.text(n) for axis in axes] for n in range(len(axes[-1].values))]
    winner = ", ".join(f"{axis.name} {axis.text(best)}" for axis in axes)
    return Chart(
        title, f"{len(rows)} configs. The best has {winner}.",
        Markup("").join([*lines, *parts]), width, _HEIGHT,
        Table([axis.name for axis in axes], rows), fills=False,
    )  # fmt: skip


def _line(
    number_: int,
    places: Sequence[float],
    spots: Sequence[float],
    axes: Sequence[Coordinate],
    best: bool,
) -> Markup:
    points = (f"{coordinate(x)} {coordinate(_up(p))}" for x, p in zip(spots, places, strict=True))
    label = ", ".join(f"{axis.name} {axis.text(number_)}" for axis in axes)
    path = element(
        "path",
        d=f"M{'L'.join(points)}",
        fill="none",
        class_=amount_line_class(places[-1]),
        stroke_width=4.0 if best else 1.5,
        stroke_opacity="1" if best else "0.75",
    )
    return element("g", element("title", shortened(label, 300)), path, class_="series")


def _places(axis: Coordinate) -> tuple[list[float], list[tuple[float, str]]]:
    """The place (0 to 1) of each value, and the labels of the axis with their places."""
    numbers = [v for v in axis.values if not isinstance(v, str)]
    if len(numbers) == len(axis.values):
        low, high = min(numbers), max(numbers)
        logarithmic = low > 0 and high / low >= 20
        scale: Scale = Log(low, high) if logarithmic else Linear.between(numbers)
        different = list(dict.fromkeys(numbers))
        ticks = different if len(different) <= 8 else [low, high]
        labels = tick_labels(ticks)
        marks = [(scale.place(tick) or 0.0, text) for tick, text in zip(ticks, labels, strict=True)]
        return [scale.place(value) or 0.0 for value in numbers], marks
    texts = list(dict.fromkeys(map(str, axis.values)))
    place = {text: index / max(1, len(texts) - 1) for index, text in enumerate(texts)}
    shown = [(place[text], text) for text in texts[:12]]
    return [place[str(value)] for value in axis.values], shown


def _up(place: float) -> float:
    return _BOTTOM - place * (_BOTTOM - _TOP_OF_AXES - LINE / 2)
