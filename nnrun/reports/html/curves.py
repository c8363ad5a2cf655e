"""Learning curves of configs, with a band over their seeds, and of single runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, log10

from nnrun.config.names import SPLITS
from nnrun.config.setting_words import choice_words
from nnrun.config.settings import choice_of, differing
from nnrun.metrics.table import LOSS, bounds_of
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.lines import Series, lines
from nnrun.reports.document import Block, Curve, Curves, Figures, Note
from nnrun.reports.numbers import count, plural, thinned
from nnrun.reports.summary import History, curve_names, metric_label
from nnrun.reports.verdict.names import names_of
from nnrun.sweeps.board.comparison.statistics import mean_of
from nnrun.sweeps.board.from_store.stored import StoredBoard, StoredVariant

_MOST_POINTS = 60
_COLOURED = 4
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
        found = [history for history in self.histories if key in history]
        if not found:
            return None
        return _over_seeds(self.name, found, key, self.index, self.other)


def board_curves(board: StoredBoard, histories: Mapping[str, History]) -> Iterator[Block]:
    """The learning curves of the configs of a leaderboard: a chart for each metric and split.

    `histories` are the columns of history.csv of the runs to draw, by `name/run id`.
    """
    shown = _drawn(board, histories)
    charts, is_cut = [], False
    for what in curve_names(board.group.metric, [h for one in shown for h in one.histories]):
        for part, words in _apart(what, shown):
            found = {
                split: [line for one in part if (line := one.line(f"{split}_{what}"))]
                for split in SPLITS
            }
            shared = [one for series in found.values() for one in series]
            for split, series in found.items():
                if series:
                    title = f"{split} {metric_label(what)}{words and f', {words}'}"
                    charts.append(_chart(title, series, what, shared))
            drawn = [v for one in shared for v in one.heights if v is not None]
            is_cut |= len(shared_scale(shared)) < len(drawn)
    if not charts:
        return
    coloured, grey = (
        [(one.index, one.name) for one in shown if one.other is other] for other in (False, True)
    )
    yield Figures(charts, coloured, others=grey)
    if any(len(one.histories) > 1 for one in shown):
        yield Note("Lines are means over runs; bands go from the lowest run to the highest.")
    if is_cut:
        yield Note("Grey lines end where they leave the scale of the coloured ones.")
    if len(shown) < len(board.standings):
        some, every = plural(len(shown), "config"), count(len(board.standings))
        yield Note(f"{some} of {every} are drawn, the first by rank that have curves.")


def figures_of(found: Curves) -> Iterator[Figures]:
    """The learning curves of a single run: a line for each split."""
    charts = [
        _chart(curve.title, by_split(found.iterations, curve), curve.key, moment=found.moment)
        for curve in found.curves
    ]
    if len(charts) == 1 and (log := charts[0].log):
        # Side by side, since there is room.
        charts = [replace(charts[0], log=None), log]
    drawn = {split for curve in found.curves for split in curve.lines}
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
    found, left = [], {*histories}
    for standing in board.standings:
        if not left:  # as after the first few rows
            break
        left -= {run.key for run in standing.variant.runs}
        if runs := _histories(standing.variant, histories):
            found.append((standing, runs))
    losses = _loss_words([standing.variant for standing, _ in found])
    names = names_of(board.group).each([standing.row for standing, _ in found])
    return [
        _Config(name, runs, index, loss, _is_lost(one.variant))
        for index, (name, (one, runs), loss) in enumerate(zip(names, found, losses, strict=True))
    ]


def _loss_words(variants: Sequence[StoredVariant]) -> list[str]:
    """In what the losses of configs differ, such as `loss=huber`."""
    settings = [variant.runs[0].settings for variant in variants]
    keys = [key for key in differing(settings) if key.startswith(_OF_LOSS)]
    return [" ".join(choice_words(choice_of(one, keys))) for one in settings]


def _apart(what: str, shown: Sequence[_Config]) -> Iterator[tuple[Sequence[_Config], str]]:
    """The configs whose curves can share a chart: all of them, or those of one loss."""
    if what != LOSS:
        yield shown, ""
        return
    for words in dict.fromkeys(one.loss for one in shown):
        yield [one for one in shown if one.loss == words], words


def _is_lost(variant: StoredVariant) -> bool:
    return all(run.status == _DIVERGED for run in variant.runs)


def _histories(variant: StoredVariant, histories: Mapping[str, History]) -> list[History]:
    lost = _is_lost(variant)
    runs = [run for run in variant.runs if lost or run.status != _DIVERGED]
    found = (histories.get(run.key) for run in runs)
    return [history for history in found if history and history.get("iteration")]


def shared_scale(shared: Sequence[Series], log: bool = False) -> list[float]:
    """The heights of the coloured lines, and those of grey ones that are not far from them.

    These are at most twice the range of the coloured ones away, of logarithms on a log scale.
    """

    def heights(other: bool) -> list[float]:
        every = [v for one in shared if one.other is other for v in one.heights if v is not None]
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
        return lines(
            title, series, x_label="iteration", y_label=metric_label(what), log=log,
            domain=shared_scale(shared, log), moment=moment,
        )  # fmt: skip

    chart = drawn(title, log=False)
    values = [v for one in series for v in one.y if v is not None]
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
    known = [[v for v in values[iteration] if isfinite(v)] for iteration in x]
    return Series(
        name,
        x,
        [mean_of(v) if v else None for v in known],
        [min(v, default=None) for v in known] if several else (),
        [max(v, default=None) for v in known] if several else (),
        index,
        other,
    )
