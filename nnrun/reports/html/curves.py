"""Learning curves of configs, with a band over their seeds, and of single runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite

from nnrun.config.names import SPLITS
from nnrun.metrics.table import bounds_of
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.lines import Series, lines
from nnrun.reports.charts.marks import Numbers
from nnrun.reports.html.blocks import Block, Figures, Note
from nnrun.reports.html.board import config_name
from nnrun.reports.numbers import count, plural, thinned
from nnrun.reports.summary import History, curve_names, metric_label
from nnrun.sweeps.board.comparison.statistics import mean_of
from nnrun.sweeps.board.from_store.stored import StoredBoard, StoredVariant

_MOST_POINTS = 60


def board_curves(board: StoredBoard, histories: Mapping[str, History]) -> Iterator[Block]:
    """The learning curves of the configs of a leaderboard: a chart for each metric and split.

    `histories` are the columns of history.csv of the runs to draw, by `name/run id`.
    """
    shown = [
        (config_name(standing), found)
        for standing in board.standings
        if (found := _histories(standing.variant, histories))
    ]
    charts = [
        chart
        for what in curve_names(board.group.metric, [h for _, found in shown for h in found])
        for chart in _by_split(what, shown)
    ]
    if not charts:
        return
    legend = [(index, name) for index, (name, _) in enumerate(shown)]
    yield Figures(charts, legend)
    if any(len(found) > 1 for _, found in shown):
        yield Note("Lines are means over runs; bands go from the lowest run to the highest.")
    if len(shown) < len(board.standings):
        drawn, every = plural(len(shown), "config"), count(len(board.standings))
        yield Note(f"{drawn} of {every} are drawn, the first by rank that have curves.")


def run_curves(history: History, metric: str, followed: str = "") -> Iterator[Block]:
    """The learning curves of a single run: a line for each split."""
    charts = []
    names = curve_names(metric, [history], followed)
    for what in names:
        series = [
            Series(split, x, [v if isfinite(v) else None for v in y], index=index)
            for index, split in enumerate(SPLITS)
            if (column := history.get(f"{split}_{what}"))
            for x, y in [(thinned(v, _MOST_POINTS) for v in (history["iteration"], column))]
        ]
        if series:
            charts.append(_chart(metric_label(what), series, what))
    if charts:
        legend = [
            (index, split)
            for index, split in enumerate(SPLITS)
            if any(f"{split}_{what}" in history for what in names)
        ]
        yield Figures(charts, legend)


def _histories(variant: StoredVariant, histories: Mapping[str, History]) -> list[History]:
    found = (histories.get(run.key) for run in variant.runs)
    return [history for history in found if history and history.get("iteration")]


def _by_split(what: str, shown: Sequence[tuple[str, Sequence[History]]]) -> Iterator[Chart]:
    every: dict[str, list[Series]] = {}
    for split in SPLITS:
        key = f"{split}_{what}"
        for index, (name, histories) in enumerate(shown):
            found = [history for history in histories if key in history]
            if found:
                every.setdefault(split, []).append(_over_seeds(name, found, key, index))
    # One scale for all splits, so that they can be compared.
    domain = [v for all_of in every.values() for s in all_of for v in (*s.y, *s.low, *s.high)]
    for split, series in every.items():
        yield _chart(f"{split} {metric_label(what)}", series, what, domain)


def _chart(title: str, series: Sequence[Series], what: str, domain: Numbers = ()) -> Chart:
    label = metric_label(what)
    chart = lines(title, series, x_label="iteration", y_label=label, domain=domain)
    values = [v for one in series for v in one.y if v is not None]
    if not values or min(values) <= 0 or bounds_of(what)[1] < inf:
        return chart
    log = lines(
        f"{title}, logarithmic", series, x_label="iteration", y_label=label, log=True,
        domain=domain,
    )  # fmt: skip
    return replace(chart, log=log)


def _over_seeds(name: str, histories: Sequence[History], key: str, index: int) -> Series:
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
    )
