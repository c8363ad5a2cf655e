"""The section about a search: its course, what matters, where it has looked.

What search.json says has the form that nnrun writes, or nothing is drawn of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple

from nnrun.characters import shortened
from nnrun.config.overrides import OverrideError, parse_value
from nnrun.config.settings import setting_words, value_words
from nnrun.reports.charts.chart import CIVIDIS, Chart
from nnrun.reports.charts.lines import Heat, heatmap
from nnrun.reports.charts.settings import Coordinate, history, parallel, slice_chart
from nnrun.reports.document import Block, Cell, Figures, Folded, Grid, Note, Section
from nnrun.reports.numbers import count, measured, number, plural, thinned
from nnrun.sweeps.board.best import AGAIN, DAMAGE, FILE, Searches

_LONGEST = 60
_BINS = 6


@dataclass(frozen=True)
class Parameter:
    """A range of numbers, of their logarithms or of whole numbers; or a choice of options."""

    name: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    options: Sequence[str] = ()

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Parameter:
        """Parameter of search.json; raises ValueError, KeyError or TypeError if it is damaged."""
        name = text_of(content["name"])
        if content["kind"] == "choice":
            options = [text_of(option) for option in content["options"]]
            if not options:
                raise ValueError("a choice of nothing")
            return cls(name, options=options)
        low, high = float(content["low"]), float(content["high"])
        if not (isfinite(low) and isfinite(high) and low <= high):
            raise ValueError("a range without ends")
        return cls(name, low, high, bool(content["log"]) and low > 0, bool(content["whole"]))

    @cached_property
    def names(self) -> Sequence[str]:
        """Names of the options, in words; as they are where one cannot be read."""
        try:
            return [value_words(self.name, parse_value(option)) for option in self.options]
        except OverrideError:
            return self.options

    @property
    def short(self) -> str:
        """Without the block of the config, which repeats."""
        return self.name.removeprefix("training.").removeprefix("network.")

    def value(self, raw: Any) -> float | str:
        """A number, or the text of an option; raises ValueError or TypeError for other values."""
        if not self.options:
            return float(raw)
        return self.options[self.options.index(text_of(raw))]

    def said(self, value: float | str) -> float | str:
        """A number as it is, or the name of an option."""
        return self.names[self.options.index(str(value))] if self.options else value

    def place(self, value: float | str) -> float:
        """A number as it is, or the index of an option."""
        return float(self.options.index(str(value)) if self.options else value)

    def bin(self, value: float | str) -> int:
        """The part of the range that a value is in, or the index of an option."""
        if self.options:
            return self.options.index(str(value))
        return sum(float(value) >= edge for edge in self._edges()[1:-1])

    def bin_names(self) -> Sequence[str]:
        """What is in each part."""
        if self.options:
            return self.names
        edges = self._edges()
        if self._is_counted:
            return [f"{edge + 0.5:g}" for edge in edges[:-1]]
        return [f"{a:.2g}–{b:.2g}" for a, b in pairwise(edges)]

    def _edges(self) -> list[float]:
        """The ends of the parts: one part for each of a few whole numbers."""
        low, high = self.low, self.high
        if self._is_counted:
            return [low - 0.5 + k for k in range(int(high - low) + 2)]
        if self.log:
            return [low * (high / low) ** (k / _BINS) for k in range(_BINS + 1)]
        return [low + (high - low) * k / _BINS for k in range(_BINS + 1)]

    @property
    def _is_counted(self) -> bool:
        return self.low == self.high or (self.whole and self.high - self.low < 2 * _BINS)


def text_of(value: Any) -> str:
    """A value as configs write it, shortened."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return shortened(str(value), _LONGEST)


SEARCH = "Search"
_FEWEST = 2
_MOST_TRIALS = 5000  # in a chart and its table
_MOST_PARAMETERS = 20
_MOST_FINALISTS = 102
_MOST_SLICES = 8
_MOST_LINES = 300
_LONGEST_CHOICE = 300
_LONGEST_PROBLEM = 1000
_ORIGINS = {
    "search": "trial",
    "random": "random trial",
    "default": "the config's own settings",
    "ensemble": "an ensemble of trials",
}


class _Trial(NamedTuple):
    """The values of its parameters by name, and its value unless it has none."""

    params: Mapping[str, float | str]
    value: float | None


_Valued = tuple[Mapping[str, float | str], float]


def search_sections(searches: Searches) -> Iterator[Section]:
    """One for each experiment that was searched; of a damaged search it says so."""
    problems = dict(searches.problems)
    for name, content in searches.contents.items():
        try:
            search = _Search(content)
        except (*DAMAGE, OverflowError):
            problems[name] = f"{FILE} of {name} is damaged: it is not what nnrun writes; {AGAIN}"
            continue
        if len(search.valued) >= _FEWEST:
            yield Section(_title(name), [*search.blocks()], SEARCH)
    for name, problem in problems.items():
        yield Section(_title(name), [Note(shortened(problem, _LONGEST_PROBLEM), "warning")], SEARCH)


def _title(name: str) -> str:
    return f"Search of {shortened(name)}"


class _Search:
    """The content of search.json, and its charts; raises one of `DAMAGE` for another content."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        parameters = [Parameter.of(each) for each in content["parameters"][:_MOST_PARAMETERS]]
        by_name = {parameter.name: parameter for parameter in parameters}
        self.metric = f"{text_of(content['judged_by'])} {text_of(content['metric'])}"
        self.pick = max if content["larger_is_better"] else min
        self.sampler = text_of(content["sampler"])
        self.finished = content["status"] == "finished"
        self.trials, self.random = (
            [_trial(each, by_name) for each in content[key]] for key in ("trials", "random")
        )
        self.valued = [(t.params, t.value) for t in self.trials if t.value is not None]
        shares = {text_of(key): float(share) for key, share in content["importance"].items()}
        self.importance = {key: share for key, share in shares.items() if isfinite(share)}
        order = sorted(parameters, key=lambda p: -self.importance.get(p.name, 0.0))
        self.parameters = [p for p in order if any(p.name in params for params, _ in self.valued)]
        self.finalists = [*_finalists(content)]
        self.test = _measured(content["test"]) if content.get("test") else ""

    def blocks(self) -> Iterator[Block]:
        """The course of the search, then its parameters."""
        yield Note(self._words())
        if self.finalists:
            yield self._comparison()
        charts = [self._history()]
        pair = self.parameters[:2]
        if len(pair) == 2:  # a map has two sides
            charts.append(self._map(*pair))
        yield Figures(charts, legend=charts[0].legend)
        if self.importance:
            shares = sorted(self.importance.items(), key=lambda item: -item[1])
            rows = [[Cell(name), Cell(f"{share:.0%}")] for name, share in shares]
            yield Grid("What explains the spread of the trials", ["parameter", "share"], rows)
        slices = [self._slice(parameter) for parameter in self.parameters[:_MOST_SLICES]]
        title = f"{self.metric} against each parameter"
        yield Folded(title, [Figures(slices), *self._left_out(_MOST_TRIALS)])
        if (every := self._every()) is not None:
            content = [Figures([every], columns=1), *self._left_out(_MOST_LINES)]
            yield Folded("All parameters of every trial", content)

    def _spread(self, trials: Sequence[_Valued], most: int) -> list[_Valued]:
        """Trials to draw: the best, the worst and others between them, in their own order."""
        maximize = self.pick is max
        ranked = sorted(range(len(trials)), key=lambda n: trials[n][1], reverse=maximize)
        return [trials[n] for n in sorted(thinned(ranked, most))]

    def _left_out(self, most: int) -> Iterator[Block]:
        if len(self.valued) > most:
            some, every = count(most), plural(len(self.valued), "trial")
            text = f"At most {some} of {every} are drawn and listed, evenly spread over the ranks."
            yield Note(text, "warning")

    def _words(self) -> str:
        text = f"{plural(len(self.trials), 'trial')} by {self.sampler}"
        if self.random:
            text += f", and {count(len(self.random))} at random beside them"
        if ended := len(self.trials) - len(self.valued):
            text += f"; {count(ended)} of them have no value"
        if not self.finished:
            text += "; the search goes on"
        return f"{text}. Values are of {self.metric}; the test rows play no part."

    def _comparison(self) -> Grid:
        rows = [
            [*map(Cell, finalist), Cell(self.test if not place else "")]
            for place, finalist in enumerate(self.finalists)
        ]
        header = ["from", "settings", f"{self.metric} ± 95%", "fresh seeds", "test"]
        title = "Final comparison, the winner first; its test rows are evaluated once"
        return Grid(title, header, rows, texts=2)

    def _history(self) -> Chart:
        trials, random = self.trials[:_MOST_TRIALS], self.random[:_MOST_TRIALS]
        best, other = self._best(trials), self._best(random)
        names, values = (self.sampler, "random search"), [trial.value for trial in trials]
        title = "Best so far"
        if max(len(self.trials), len(self.random)) > _MOST_TRIALS:
            title += f", first {plural(_MOST_TRIALS, 'trial')}"
        return history(title, values, best, other, y_label=self.metric, names=names)

    def _best(self, trials: Sequence[_Trial]) -> list[float | None]:
        best: float | None = None
        so_far = []
        for trial in trials:
            values = [value for value in (best, trial.value) if value is not None]
            best = self.pick(values, default=None)
            so_far.append(best)
        return so_far

    def _slice(self, parameter: Parameter) -> Chart:
        trials = [trial for trial in self.valued if parameter.name in trial[0]]
        points = [
            (parameter.place(params[parameter.name]), value)
            for params, value in self._spread(trials, _MOST_TRIALS)
        ]
        x, y = zip(*points, strict=True)
        return slice_chart(
            f"Against {parameter.short}", x, y, y.index(self.pick(y)),
            x_label=parameter.short, y_label=self.metric,
            ends=None if parameter.options else (parameter.low, parameter.high),
            log=parameter.log, names=parameter.names,
        )  # fmt: skip

    def _map(self, down: Parameter, across: Parameter) -> Chart:
        """The best value in each part of the plane of the two parameters that matter most."""
        best: dict[tuple[int, int], float] = {}
        for params, value in self.valued:
            if down.name in params and across.name in params:
                place = down.bin(params[down.name]), across.bin(params[across.name])
                best[place] = self.pick(value, best.get(place, value))
        rows, columns = down.bin_names(), across.bin_names()
        parts = len(rows) * len(columns)
        empty = parts - len(best)
        never = f" {empty} of {parts} parts were never tried." if empty else ""
        return heatmap(
            f"Best by {down.short} and {across.short}",
            f"The best {self.metric} in each part; parts without a number were never tried.{never}",
            [[best.get((r, c)) for c in range(len(columns))] for r in range(len(rows))],
            rows, columns, row_label=down.short, column_label=across.short,
            heat=Heat(CIVIDIS, number),
        )  # fmt: skip

    def _every(self) -> Chart | None:
        """A line for each trial through all parameters that all trials have."""
        trials = self._spread(self.valued, _MOST_LINES)
        common = [p for p in self.parameters if all(p.name in params for params, _ in trials)]
        if len(common) < _FEWEST:
            return None
        axes = [
            Coordinate(p.short, [p.said(params[p.name]) for params, _ in trials]) for p in common
        ]
        values = [value for _, value in trials]
        axes.append(Coordinate(self.metric, values))
        return parallel("All parameters", axes, values.index(self.pick(values)))


def _trial(content: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> _Trial:
    """Parameters that are not known have numbers."""
    params = {
        (name := text_of(key)): parameters.get(name, Parameter(name)).value(value)
        for key, value in content["params"].items()
    }
    value = None if content["value"] is None else float(content["value"])
    return _Trial(params, value if value is not None and isfinite(value) else None)


def _finalists(content: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Source of each setting of the board, its values, mean ± 95% and number of runs."""
    by_run = {run: each for each in content.get("finalists", ()) for run in each["run_ids"]}
    for row in (content.get("board") or {}).get("rows", ())[:_MOST_FINALISTS]:
        finalist = by_run.get(text_of(row["best_run"]).partition("/")[2])
        if finalist is not None:
            origin, number_ = _ORIGINS[finalist["origin"]], finalist["number"]
            words = origin if number_ is None else f"{origin} {int(number_)}"
            choice = shortened(setting_words(finalist["choice"]), _LONGEST_CHOICE)
            yield words, choice, _measured(row), str(int(row["completed"]))


def _measured(content: Mapping[str, Any]) -> str:
    mean, low = float(content["mean"]), content["ci_low"]
    return measured(mean, None if low is None else mean - float(low))
