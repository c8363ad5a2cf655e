"""The section about a search: its course, what matters, where it has looked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.heatmap import Heat, heatmap
from nnrun.reports.charts.kinds.parallel import Coordinate, parallel
from nnrun.reports.charts.kinds.settings import history, slice_chart
from nnrun.reports.charts.palette import CIVIDIS
from nnrun.reports.html.blocks import Block, Figures, Folded, Note, Section
from nnrun.reports.html.searches.content import (
    Parameter,
    SearchContent,
    ShownTrial,
    search_content,
)
from nnrun.reports.numbers import number, plural, thinned
from nnrun.reports.tables import Cell, Grid

SEARCH = "Search"
_FEWEST = 2
_BINS = 6
_MOST_SLICES = 8
_MOST_LINES = 300


def search_sections(folders: Sequence[Path]) -> Iterator[Section]:
    """One for each of these folders of experiments that has a search."""
    for folder in folders:
        found = search_content(folder)
        if found is not None:
            blocks = list(_Search(found).blocks())
            if blocks:
                yield Section(f"Search of {found.name}", blocks, SEARCH)


class _Search:
    """The charts of one search."""

    def __init__(self, found: SearchContent) -> None:
        self.found = found
        self.valued = [(t, t.value) for t in found.trials if t.value is not None]
        shares = found.importance
        order = sorted(found.parameters, key=lambda p: -shares.get(p.name, 0.0))
        self.parameters = [p for p in order if any(p.name in t.params for t, _ in self.valued)]

    def blocks(self) -> Iterator[Block]:
        """The course of the search, then its parameters."""
        if len(self.valued) < _FEWEST:
            return
        yield Note(self._words())
        if self.found.finalists:
            yield self._comparison()
        charts = [self._history()]
        pair = self.parameters[:2]
        if len(pair) == 2:  # a map has two sides
            charts.append(self._map(*pair))
        yield Figures(charts, legend=charts[0].legend)
        if self.found.importance:
            yield self._importance()
        slices = [self._slice(parameter) for parameter in self.parameters[:_MOST_SLICES]]
        yield Folded(f"{self.found.metric} against each parameter", [Figures(slices)])
        if (every := self._every()) is not None:
            yield Folded("All parameters of every trial", [Figures([every], columns=1)])

    def _words(self) -> str:
        found = self.found
        ended = [trial for trial in found.trials if trial.value is None]
        text = f"{plural(len(found.trials), 'trial')} by {found.sampler}"
        if found.random:
            text += f", and {len(found.random)} at random beside them"
        if ended:
            text += f"; {len(ended)} of them have no value"
        if not found.finished:
            text += "; the search goes on"
        return f"{text}. Values are of {found.metric}; the test rows play no part."

    def _comparison(self) -> Grid:
        """The board of the final comparison; its first row is the winner."""
        rows = [
            [Cell(one.origin), Cell(one.choice), Cell(one.result), Cell(str(one.runs)),
             Cell(self.found.test if not place else "")]
            for place, one in enumerate(self.found.finalists)
        ]  # fmt: skip
        header = ["from", "settings", f"{self.found.metric} ± 95%", "fresh seeds", "test"]
        title = "Final comparison, the winner first; its test rows are evaluated once"
        return Grid(title, header, rows, texts=2)

    def _history(self) -> Chart:
        names = (self.found.sampler, "random search")
        return history(
            "Best so far",
            [trial.value for trial in self.found.trials],
            self._best(self.found.trials),
            self._best(self.found.random),
            y_label=self.found.metric,
            names=names,
        )

    def _best(self, trials: Sequence[ShownTrial]) -> list[float | None]:
        """The best value up to each trial."""
        best: float | None = None
        found = []
        for trial in trials:
            if trial.value is not None and self.found.better(trial.value, best):
                best = trial.value
            found.append(best)
        return found

    def _importance(self) -> Grid:
        """How much of the spread of values each parameter explains."""
        shares = sorted(self.found.importance.items(), key=lambda item: -item[1])
        rows = [[Cell(name), Cell(f"{share:.0%}")] for name, share in shares]
        return Grid("What explains the spread of the trials", ["parameter", "share"], rows)

    def _slice(self, parameter: Parameter) -> Chart:
        points = [
            (_place(parameter, trial.params[parameter.name]), value)
            for trial, value in self.valued
            if parameter.name in trial.params
        ]
        x, y = zip(*points, strict=True)
        best = max(range(len(y)), key=lambda k: y[k] if self.found.larger_is_better else -y[k])
        ranged = parameter.low is not None and parameter.high is not None
        return slice_chart(
            f"Against {parameter.short}",
            x,
            y,
            best,
            x_label=parameter.short,
            y_label=self.found.metric,
            ends=(parameter.low or 0.0, parameter.high or 0.0) if ranged else None,
            log=parameter.log,
            names=parameter.options,
        )

    def _map(self, down: Parameter, across: Parameter) -> Chart:
        """The best value in each part of the plane of the two parameters that matter most."""
        best: dict[tuple[int, int], float] = {}
        for trial, value in self.valued:
            if down.name in trial.params and across.name in trial.params:
                place = _bin(down, trial.params[down.name]), _bin(across, trial.params[across.name])
                if self.found.better(value, best.get(place)):
                    best[place] = value
        rows, columns = _bin_names(down), _bin_names(across)
        empty = len(rows) * len(columns) - len(best)
        never = f" {empty} of {len(rows) * len(columns)} parts were never tried." if empty else ""
        return heatmap(
            f"Best by {down.short} and {across.short}",
            f"The best {self.found.metric} in each part; parts without a number were never tried."
            f"{never}",
            [[best.get((r, c)) for c in range(len(columns))] for r in range(len(rows))],
            rows,
            columns,
            row_label=down.short,
            column_label=across.short,
            heat=Heat(CIVIDIS, number),
        )

    def _every(self) -> Chart | None:
        """A line for each trial through all parameters that all trials have."""
        trials = thinned(self.valued, _MOST_LINES)
        common = [p for p in self.parameters if all(p.name in t.params for t, _ in trials)]
        if len(common) < _FEWEST:
            return None
        axes = [
            Coordinate(p.short, [_coordinate(p, t.params[p.name]) for t, _ in trials])
            for p in common
        ]
        values = [value for _, value in trials]
        axes.append(Coordinate(self.found.metric, values))
        best = max if self.found.larger_is_better else min
        return parallel("All parameters", axes, values.index(best(values)))


def _place(parameter: Parameter, value: float | str) -> float:
    """A number, or the index of an option."""
    if parameter.low is None:
        return float(parameter.options.index(str(value)))
    return float(value)


def _coordinate(parameter: Parameter, value: float | str) -> float | str:
    return str(value) if parameter.low is None else float(value)


def _bin(parameter: Parameter, value: float | str) -> int:
    """The part of the parameter's range that a value is in."""
    if parameter.low is None or parameter.high is None:
        return parameter.options.index(str(value))
    edges = _edges(parameter, parameter.low, parameter.high)
    inner = [edge for edge in edges[1:-1] if float(value) >= edge]
    return len(inner)


def _bin_names(parameter: Parameter) -> list[str]:
    if parameter.low is None or parameter.high is None:
        return list(parameter.options)
    edges = _edges(parameter, parameter.low, parameter.high)
    if _is_counted(parameter, parameter.low, parameter.high):
        return [f"{edge + 0.5:g}" for edge in edges[:-1]]
    return [f"{a:.2g}–{b:.2g}" for a, b in pairwise(edges)]


def _edges(parameter: Parameter, low: float, high: float) -> list[float]:
    """The ends of the parts of a range: one part for each of a few whole numbers."""
    if _is_counted(parameter, low, high):
        return [low - 0.5 + k for k in range(int(high - low) + 2)]
    if parameter.log:
        return [low * (high / low) ** (k / _BINS) for k in range(_BINS + 1)]
    return [low + (high - low) * k / _BINS for k in range(_BINS + 1)]


def _is_counted(parameter: Parameter, low: float, high: float) -> bool:
    return low == high or (parameter.whole and high - low < 2 * _BINS)
