"""Curves drawn with characters, for terminals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from nnrun.reports.charts.axes import Linear, Log, Scale, log_suits
from nnrun.reports.numbers import count, number

_HEIGHT = 10
_WIDEST = 100
_TICKS = 4


@dataclass(frozen=True)
class Curve:
    """One line of a plot, with a gap where y is no number.

    It is drawn with the character `mark`; its colour says nothing that this does not.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    mark: str
    style: str


@dataclass(frozen=True)
class Axis:
    """The words below a plot: the first value, what the axis shows, and the last value."""

    first: str
    name: str
    last: str


class Plot:
    """Curves in the width of the terminal.

    The scale is logarithmic where that suits, as in the charts of a report; the title says so.

    Args:
        title: of the vertical axis.
        curves: the first is drawn last, over the others.
        axis: the words below; by default x counts iterations from 0.
        linear: whether the scale is never logarithmic.
    """

    def __init__(
        self, title: str, curves: Sequence[Curve], axis: Axis | None = None, *, linear: bool = False
    ) -> None:
        self.title = title
        self.curves = curves
        values = [value for curve in curves for value in curve.y]
        self.is_log = not linear and log_suits(values)
        self._scale: Scale = Log.over(values) if self.is_log else Linear.over(values, count=_TICKS)
        self._last = max((max(curve.x, default=0.0) for curve in curves), default=0.0)
        self._axis = axis or Axis("0", "iteration", count(round(self._last)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        labels = self._labels()
        margin = max(map(cell_len, labels.values()), default=0)
        width = max(1, min(options.max_width, _WIDEST) - margin - 3)
        heading = Text(self.title + (", logarithmic" if self.is_log else ""), "bold")
        for curve in self.curves:
            heading.append_text(Text.assemble("   ", (curve.mark, curve.style), f" {curve.label}"))
        yield heading
        for row, line in enumerate(self._grid(width)):
            yield Text.assemble(f"{labels.get(row, ''):>{margin}} │ ", line)
        start, end = self._axis.first, self._axis.last
        yield Text(f"{'':>{margin}} └{'─' * (width + 1)}")
        free = max(0, width - len(start) - len(end))
        yield Text(f"{'':>{margin}}   {start}{self._axis.name.center(free)[:free]}{end}")

    def _labels(self) -> dict[int, str]:
        """Round values, by the row they belong to."""
        labels: dict[int, str] = {}
        for tick in reversed(self._scale.ticks(_TICKS)):
            place = self._scale.place(tick)
            if place is not None:
                labels.setdefault(_row(place), number(tick))
        return labels

    def _grid(self, width: int) -> Iterator[Text]:
        cells = [[(" ", "")] * width for _ in range(_HEIGHT)]
        for curve in reversed(self.curves):
            for column, row in self._places(curve, width):
                cells[row][column] = curve.mark, curve.style
        for line in cells:
            parts = ((mark * len([*same]), style) for (mark, style), same in groupby(line))
            yield Text.assemble(*parts)

    def _places(self, curve: Curve, width: int) -> Iterator[tuple[int, int]]:
        """Column and row of every character: straight lines between neighbouring points."""
        before: tuple[float, float] | None = None
        for x, y in zip(curve.x, curve.y, strict=True):
            place = self._scale.place(y)
            if place is None:
                before = None
                continue
            at = (x / self._last * (width - 1) if self._last else 0.0, place)
            start = before or at
            first, last = round(start[0]), round(at[0])
            for column in range(first, last + 1):
                share = (column - first) / (last - first) if last > first else 1.0
                yield column, _row(start[1] + share * (at[1] - start[1]))
            before = at


def _row(place: float) -> int:
    """The row, counted from the top, for a place from 0 (bottom) to 1."""
    return min(_HEIGHT - 1, max(0, round((1 - place) * (_HEIGHT - 1))))
