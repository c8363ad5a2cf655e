"""Learning curves of configs, with a band over their seeds, and of single runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, isfinite, log10
from typing import Any, NamedTuple

from nnrun.characters import shortened
from nnrun.config.names import SPLITS
from nnrun.config.settings import (
    canonical_json,
    choice_of,
    choice_words,
    differing,
    parts_apart,
    setting_words,
    told_apart,
    value_words,
)
from nnrun.metrics.table import LOSS, bounds_of
from nnrun.reports.boards import values_of
from nnrun.reports.charts.chart import CIVIDIS, Chart
from nnrun.reports.charts.lines import Heat, Series, heatmap, lines
from nnrun.reports.charts.settings import Coordinate, by_setting, parallel
from nnrun.reports.document import Block, Curve, Curves, Figures, Folded, Note
from nnrun.reports.numbers import count, number, plural, thinned, to_error
from nnrun.reports.row_names import names_of
from nnrun.reports.summary import History, curve_names, metric_label
from nnrun.sweeps.board.means import mean_of, summarize
from nnrun.sweeps.board.more_rows import gain_of
from nnrun.sweeps.board.rows import Group
from nnrun.sweeps.board.stored import Standing, StoredBoard, StoredVariant

_MOST_POINTS = 60
_COLOURED = _AT_ONCE = 4  # configs in colour, and charts of configs side by side
_DIVERGED = "diverged"
# Settings that decide what a loss measures: losses of different ones have charts of their own.
_OF_LOSS = ("loss", "dataset.target", "training.class_weight")


@dataclass(frozen=True)
class _Config:
    """A config that is drawn.

    Args:
        name: in the legend.
        histories: of its runs; without those that diverged, unless all did.
        index: the number of its colour and dashes.
        loss: how its loss differs from those of other configs, in words.
        lost: whether all of its runs diverged.
    """

    name: str
    histories: Sequence[History]
    index: int
    loss: str
    lost: bool = False

    @property
    def other(self) -> bool:
        """Whether it is grey."""
        return self.lost or self.index >= _COLOURED

    def line(self, key: str) -> Series | None:
        """Its mean over the runs, grey unless it is one of the best."""
        histories = [history for history in self.histories if key in history]
        if not histories:
            return None
        return _over_seeds(self.name, histories, key, self.index, self.other)

    def splits(self, what: str, strong: str) -> list[Series]:
        """Its line on the `strong` split, and that on the training split as a thin one."""
        found = []
        for split in dict.fromkeys((strong, "train")):
            if (line := self.line(f"{split}_{what}")) is not None:
                line = replace(line, name=split, index=SPLITS.index(split), other=False)
                found.append(line if split == strong else replace(line, thin=True, low=(), high=()))
        return found


def board_curves(board: StoredBoard, histories: Mapping[str, History]) -> Iterator[Block]:
    """The learning curves of a leaderboard: a chart for each config; folded, one for each split.

    `histories` are the columns of history.csv of the runs to draw, by `name/run id`.
    """
    shown = _drawn(board, histories)
    names = curve_names(board.group.metric, [h for c in shown for h in c.histories])
    # One or two configs have room for the loss, too.
    charts = [*_by_config(shown, names if len(shown) <= 2 else names[-1:], board.group.ordered_by)]
    if not charts:
        return
    legend, columns = sorted(charts[0].legend), min(len(charts), _AT_ONCE)
    yield Figures(charts[:_AT_ONCE], legend, columns=columns)
    if any(len(c.histories) > 1 for c in shown):
        yield Note("Lines are means over runs; bands go from the lowest run to the highest.")
    if len(shown) > 1:
        yield Note("All configs have one scale, that of the first; lines end where they leave it.")
    if more := charts[_AT_ONCE:]:
        title = f"Learning curves of {plural(len(more), 'more config')}"
        yield Folded(title, [Figures(more, legend, columns=columns)])
    yield Folded("By split, all configs in one chart", [*_by_split(shown, names)])
    if len(shown) < len(board.standings):
        some, every = plural(len(shown), "config"), count(len(board.standings))
        yield Note(f"{some} of {every} are drawn, the first by rank that have curves.")


def _by_config(shown: Sequence[_Config], names: Sequence[str], strong: str) -> Iterator[Chart]:
    """A chart of each config in which the training split meets the one that decides."""
    for what in names:
        series = {config.index: config.splits(what, strong) for config in shown}
        for part, _ in _apart(what, shown):
            shared = [replace(s, other=c.other) for c in part for s in series[c.index]]
            for config in part:
                if lines_of := series[config.index]:
                    title = f"{config.name}: {metric_label(what)}"
                    yield _chart(title, lines_of, what, shared)


def _by_split(shown: Sequence[_Config], names: Sequence[str]) -> Iterator[Block]:
    """A chart for each metric and split, with a line for each config."""
    charts, is_cut = [], False
    for what in names:
        for part, words in _apart(what, shown):
            by_part = {
                split: [line for c in part if (line := c.line(f"{split}_{what}"))]
                for split in SPLITS
            }
            shared = [line for series in by_part.values() for line in series]
            for split, series in by_part.items():
                if series:
                    title = f"{split} {metric_label(what)}{words and f', {words}'}"
                    charts.append(_chart(title, series, what, shared))
            drawn = [v for line in shared for v in line.heights if v is not None]
            is_cut |= len(shared_scale(shared)) < len(drawn)
    coloured, grey = (
        [(c.index, c.name) for c in shown if c.other is other] for other in (False, True)
    )
    yield Figures(charts, coloured, others=grey)
    if is_cut:
        yield Note("Grey lines end where they leave the scale of the coloured ones.")


def figures_of(block: Curves) -> Iterator[Figures]:
    """The learning curves of a single run: a line for each split."""
    charts = [
        _chart(curve.title, by_split(block.iterations, curve), curve.key, moment=block.moment)
        for curve in block.curves
    ]
    if len(charts) == 1 and (log := charts[0].log):
        # Side by side, since there is room.
        charts = [replace(charts[0], log=None), log]
    drawn = {split for curve in block.curves for split in curve.lines}
    yield Figures(charts, [(i, split) for i, split in enumerate(SPLITS) if split in drawn])


def by_split(iterations: Sequence[float], curve: Curve) -> list[Series]:
    """A thinned line for each split that it has."""
    return [
        Series.thinned(split, iterations, curve.lines[split], index)
        for index, split in enumerate(SPLITS)
        if split in curve.lines
    ]


def _drawn(board: StoredBoard, histories: Mapping[str, History]) -> list[_Config]:
    """The configs that have histories, by rank; names of experiments only where they differ."""
    drawn, left = [], {*histories}
    for standing in board.standings:
        if not left:  # as after the first few rows
            break
        left -= {run.key for run in standing.variant.runs}
        if runs := _histories(standing.variant, histories):
            drawn.append((standing, runs))
    losses = _loss_words([standing.variant for standing, _ in drawn])
    names = names_of(board.group).each([standing.row for standing, _ in drawn])
    return [
        _Config(name, runs, index, loss, _is_lost(s.variant))
        for index, (name, (s, runs), loss) in enumerate(zip(names, drawn, losses, strict=True))
    ]


def _loss_words(variants: Sequence[StoredVariant]) -> list[str]:
    """Words in which the losses of configs differ, such as `loss huber`."""
    settings = [variant.runs[0].settings for variant in variants]
    keys = [key for key in differing(settings) if key.startswith(_OF_LOSS)]
    return [setting_words(choice_of(of_config, keys)) for of_config in settings]


def _apart(what: str, shown: Sequence[_Config]) -> Iterator[tuple[Sequence[_Config], str]]:
    """The configs whose curves can share a chart: all of them, or those of one loss."""
    if what != LOSS:
        yield shown, ""
        return
    for words in dict.fromkeys(config.loss for config in shown):
        yield [config for config in shown if config.loss == words], words


def _is_lost(variant: StoredVariant) -> bool:
    return all(run.status == _DIVERGED for run in variant.runs)


def _histories(variant: StoredVariant, histories: Mapping[str, History]) -> list[History]:
    lost = _is_lost(variant)
    runs = [run for run in variant.runs if lost or run.status != _DIVERGED]
    of_runs = (histories.get(run.key) for run in runs)
    return [history for history in of_runs if history and history.get("iteration")]


def shared_scale(shared: Sequence[Series], log: bool = False) -> list[float]:
    """The heights of the coloured lines, and those of grey ones that are not far from them.

    These are at most twice the range of the coloured ones away, of logarithms on a log scale.
    """

    def heights(other: bool) -> list[float]:
        every = [v for s in shared if s.other is other for v in s.heights if v is not None]
        return [v for v in every if v > 0] if log else every

    size = log10 if log else float
    coloured, grey = heights(False), heights(True)
    if not coloured:
        return grey
    low, high = size(min(coloured)), size(max(coloured))
    reach = 2 * (high - low)
    return coloured + [v for v in grey if low - reach <= size(v) <= high + reach]


def _chart(
    title: str,
    series: Sequence[Series],
    what: str,
    shared: Sequence[Series] = (),
    moment: tuple[float, str] | None = None,
) -> Chart:
    """A chart, and beside it one with a log scale; `shared` are all lines on the same scale."""

    def drawn(title: str, log: bool) -> Chart:
        domain = shared_scale(shared, log)
        return lines(
            title, series, y_label=metric_label(what), log=log, domain=domain, moment=moment
        )

    chart = drawn(title, log=False)
    values = [v for s in series for v in s.y if v is not None]
    if not values or min(values) <= 0 or bounds_of(what)[1] < inf:
        return chart
    return replace(chart, log=drawn(f"{title}, logarithmic", log=True))


def _over_seeds(
    name: str, histories: Sequence[History], key: str, index: int, other: bool
) -> Series:
    """Mean, minimum and maximum over the runs at each evaluation."""
    values: dict[float, list[float]] = {}
    for history in histories:
        for iteration, value in zip(history["iteration"], history[key], strict=True):
            values.setdefault(iteration, []).append(value)
    x = thinned(sorted(values), _MOST_POINTS)
    several = len(histories) > 1
    finite = [[v for v in values[iteration] if isfinite(v)] for iteration in x]
    return Series(
        name,
        x,
        [mean_of(v) if v else None for v in finite],
        [min(v, default=None) for v in finite] if several else (),
        [max(v, default=None) for v in finite] if several else (),
        index,
        other,
    )


# Charts of a grid: the metric against each setting, pairs of settings, all settings.

_MOST_KEYS = 8
_MOST_DOTS = 1000
_MOST_LINES = 300
_MOST_CELLS = 40
_LONGEST = 80  # of the text of a value


@dataclass(frozen=True)
class _Key:
    """A key of the grid with its values."""

    key: str
    name: str
    values: list[Any]

    @cached_property
    def numeric(self) -> bool:
        return all(map(_is_number, self.values))

    @cached_property
    def texts(self) -> list[str]:
        """The values in words; parts of long ones that differ, as in names of rows."""
        texts = [value_words(self.key, value) for value in self.values]
        if any(len(text) > _LONGEST for text in texts):
            parts = parts_apart([{self.key: value} for value in self.values])
            texts = [" ".join(choice_words(each)) for each in parts]
        return [shortened(text, _LONGEST) for text in texts]

    def coordinate(self, value: Any) -> float | str:
        """A number as it is; another value as text."""
        return float(value) if self.numeric else self.texts[int(self.place(value))]

    def place(self, value: Any) -> float:
        """A number as it is; another value as its index."""
        return float(value) if self.numeric else self._indices[_text(value)]

    @cached_property
    def _indices(self) -> dict[str, float]:
        return {_text(value): float(index) for index, value in enumerate(self.values)}


class _Member(NamedTuple):
    """A row of the board, with what tells its config from others of the grid."""

    standing: Standing
    choice: dict[str, Any]


def more_rows_blocks(group: Group) -> Iterator[Block]:
    """Chart of a board of training sizes: the means, and a power law to twice the largest size."""
    if (gain := gain_of(group)) is None:
        return
    what, largest = f"{gain.split} {metric_label(group.metric)}", gain.means.sizes[-1]
    x_label = "share of the training rows" if isinstance(largest, float) else "training rows"
    chart = lines(
        f"{what} by training rows",
        [Series("mean of the runs", *gain.means), Series("power law", *gain.law, index=1)],
        y_label=what, x_label=x_label, moment=(largest, "the most that was tried"),
    )  # fmt: skip
    yield Figures([chart], chart.legend)
    yield Note("Bands are 95% intervals: of each mean, and of the fits to means drawn from theirs.")


def grid_blocks(board: StoredBoard) -> Iterator[tuple[str, list[Block]]]:
    """Name and charts of each experiment with a grid."""
    names = dict.fromkeys(standing.variant.name for standing in board.standings)
    for name in names:
        standings = [s for s in board.standings if s.variant.name == name and s.row.is_network]
        choices = told_apart([standing.variant.choice for standing in standings])
        members = [_Member(*both) for both in zip(standings, choices, strict=True) if both[1]]
        if len(members) > 1:
            yield name, list(_Grid(board, members).blocks())


class _Grid:
    """The configs of an experiment's grid."""

    def __init__(self, board: StoredBoard, members: Sequence[_Member]) -> None:
        self.board = board
        self.members = members
        self.split = board.group.ordered_by
        self.metric = f"{self.split} {metric_label(board.group.metric)}"
        self.pick = max if board.group.larger_is_better else min
        self._values = [values_of(board.group, member.standing.scores) for member in members]
        self._runs = [value for values in self._values for value in values]
        self._lines = thinned(members, _MOST_LINES)

    def blocks(self) -> Iterator[Block]:
        """Charts of each key, and of all keys together."""
        keys = _keys(self.members)
        shown = keys[:_MOST_KEYS]
        charts = [chart for key in shown if (chart := self._against(key))]
        if len(keys) == 2 and (pair := self._pair(*keys)):
            charts.append(pair)
        if charts:
            yield Figures(charts)
            yield from self._left_out()
        if len(shown) < len(keys):
            left = ", ".join(key.name for key in keys[_MOST_KEYS:][:_MOST_KEYS])
            yield Note(f"{len(keys) - len(shown)} more keys were varied: {left}.")
        if len(keys) == 2 and max(len(key.values) for key in keys) > _MOST_CELLS:
            yield Note(f"A map of all pairs is drawn of up to {_MOST_CELLS} values of each key.")
        if len(keys) > 2 and (parallels := self._all(shown)):
            yield Figures([parallels])
            if len(self._lines) < len(self.members):
                some, every = plural(len(self._lines), "config"), count(len(self.members))
                text = f"{some} of {every} are drawn and listed, evenly spread over the ranks."
                yield Note(text, "warning")

    def _left_out(self) -> Iterator[Block]:
        if len(self._runs) > _MOST_DOTS:
            some, every = plural(_MOST_DOTS, "run"), count(len(self._runs))
            text = f"{some} of {every} are drawn as dots, evenly spread over the ranks"
            yield Note(f"{text}; means and tables are of all runs.", "warning")

    def _against(self, key: _Key) -> Chart | None:
        if not self._runs:
            return None
        x = [
            place
            for member, values in zip(self.members, self._values, strict=True)
            for place in [key.place(member.choice.get(key.key))] * len(values)
        ]
        title = f"{self.metric} against {key.name}"
        names = [] if key.numeric else key.texts
        return by_setting(
            title, x, self._runs, x_label=key.name, y_label=self.metric, most=_MOST_DOTS,
            names=names,
        )  # fmt: skip

    def _pair(self, down: _Key, across: _Key) -> Chart | None:
        if max(len(down.values), len(across.values)) > _MOST_CELLS:
            return None
        means: dict[tuple[int, int], float] = {}
        words: dict[tuple[int, int], str] = {}
        for member in self.members:
            if (summary := member.standing.row.summary(self.split)) is not None:
                row, column = (
                    key.values.index(member.choice.get(key.key)) for key in (down, across)
                )
                means[row, column] = summary.mean
                words[row, column] = self._mean(member.standing, summary.mean)
        if not means:
            return None
        best = self.pick(means, key=lambda place: means[place])
        return heatmap(
            f"{self.metric} by {down.name} and {across.name}",
            f"The best mean, {words[best]}, is at {down.name} {down.texts[best[0]]} and "
            f"{across.name} {across.texts[best[1]]}.",
            [
                [means.get((row, column)) for column in range(len(across.values))]
                for row in range(len(down.values))
            ],
            down.texts,
            across.texts,
            row_label=down.name,
            column_label=across.name,
            heat=Heat(CIVIDIS, number, written=words),
        )

    def _mean(self, standing: Standing, mean: float) -> str:
        """Mean in the digits of its interval, as the board has it."""
        values = values_of(self.board.group, standing.scores)
        overlap = standing.variant.overlap.get(self.split, 0.0)
        summary = summarize(values, overlap, bounds_of(self.board.group.metric))
        return to_error(mean, None if summary is None else summary.half)

    def _all(self, keys: Sequence[_Key]) -> Chart | None:
        """A line for each config, through its values to its mean."""
        summaries = [(m, m.standing.row.summary(self.split)) for m in self._lines]
        drawn = [(m, summary.mean) for m, summary in summaries if summary]
        if len(drawn) < 2:
            return None
        axes = [
            Coordinate(key.name, [key.coordinate(m.choice.get(key.key)) for m, _ in drawn])
            for key in keys
        ]
        means = [mean for _, mean in drawn]
        texts = [self._mean(m.standing, mean) for m, mean in drawn]
        axes.append(Coordinate(self.metric, means, texts))
        return parallel(f"{self.metric} of every config", axes, means.index(self.pick(means)))


def _keys(members: Sequence[_Member]) -> list[_Key]:
    choice = {key: v for member in members for key, v in member.choice.items()}
    names = [word.partition("=")[0] for word in choice_words(choice)]
    keys = []
    for key, name in zip(choice, names, strict=True):
        values = (member.choice.get(key) for member in members)
        different = list({_text(value): value for value in values}.values())
        # Numbers in order, then other values in their order of appearance.
        different.sort(key=lambda value: (0, value) if _is_number(value) else (1, 0))
        keys.append(_Key(key, shortened(name, 40), different))
    return keys


def _text(value: Any) -> str:
    """The same for equal values; lists and mappings are no keys."""
    return canonical_json(value) if isinstance(value, list | dict) else repr(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
