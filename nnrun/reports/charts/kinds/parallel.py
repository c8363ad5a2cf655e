"""Parallel coordinates: an axis for each setting and one for the metric, a line for each config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nnrun.characters import shortened
from nnrun.reports.charts.axes import Linear, Log, Scale, tick_labels
from nnrun.reports.charts.chart import Chart, Table
from nnrun.reports.charts.style import amount_line_class
from nnrun.reports.charts.svg import CHARACTER, LINE, coordinate, element
from nnrun.reports.numbers import number

_TOP, _BOTTOM, _HEIGHT = 44.0, 250.0, 270.0
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
        d = f"M{x:.1f} {_TOP:.1f}V{_BOTTOM:.1f}"
        parts += [
            element("path", d=d, class_="axis"),
            element("text", shortened(axis.name, 20), x=x, y=_TOP - 24, class_="mid name"),
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
        known = [(scale.place(tick) or 0.0, text) for tick, text in zip(ticks, labels, strict=True)]
        return [scale.place(value) or 0.0 for value in numbers], known
    texts = list(dict.fromkeys(map(str, axis.values)))
    place = {text: index / max(1, len(texts) - 1) for index, text in enumerate(texts)}
    shown = [(place[text], text) for text in texts[:12]]
    return [place[str(value)] for value in axis.values], shown


def _up(place: float) -> float:
    return _BOTTOM - place * (_BOTTOM - _TOP - LINE / 2)
