"""Cards: for each data set and target what to use, its result, and the next command."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from nnrun.metrics.table import bounds_of
from nnrun.reports.board_verdict import (
    UNDECIDED,
    GroupVerdict,
    baselines,
    group_verdict,
    leads,
    of_data,
    problems,
)
from nnrun.reports.boards import mean_cell, scale_of, strip_cell, values_of
from nnrun.reports.charts.scatter import strip, strip_scale
from nnrun.reports.document import WHOLE, Block, Cell, Code, Grid, Note, Section
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import MISSING, count, durations, measured, number, plural
from nnrun.reports.row_names import names_of
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.select import BEST
from nnrun.sweeps.board.means import summarize
from nnrun.sweeps.board.rows import Group, Row
from nnrun.sweeps.board.stored import Standing
from nnrun.sweeps.board.verdicts import completed_runs, design_of

_MOST = 6
_SEEDS = re.compile(r"--seeds (\d+)|(\d+) seeds (?:would|might)")
# What people think in, whatever metric decides the order.
_USUAL = {"rmse": "RMSE", "r2": "R²", "accuracy": "accuracy", "roc_auc": "AUC"}
_USUAL |= {"log_loss": "log loss"}


def cards(
    groups: Sequence[Group],
    standings: Mapping[int, Standing] = {},
    sweeps: Mapping[str, str] = {},
    anchors: Mapping[str, str] = {},
    *,
    brief: bool = False,
    unfinished: bool = False,
) -> Iterator[Section]:
    """A card for each group.

    Args:
        groups: each has rows that can be compared.
        standings: the runs of rows, by the `id` of the row, for other metrics and what is drawn.
        sweeps: the command that trained each experiment.
        anchors: of runs with details on the page, by `name/run id`.
        brief: whether cards have no table, so that a dozen fit a sheet.
        unfinished: whether there are runs to come.
    """
    last = {row.name: group for group in groups if (row := group.first_network)}
    seen = set[str]()
    for title, group in zip(leads(groups), groups, strict=True):
        verdict = group_verdict(group, unfinished)
        first = verdict.row
        wrong = problems([group], [first], Counter(), about_data=False)
        data = [] if group.dataset in seen else [*of_data([group])]
        seen.add(group.dataset)
        more = " ".join(map(sentence, filter(None, verdict.others.split("; "))))
        blocks: list[Block] = [Note(sentence(each), "bad", level=WHOLE) for each in data]
        blocks.append(Note(sentence(verdict.use or verdict.best), "lead", level=WHOLE))
        blocks += [Note(more, level=WHOLE)] if more and not brief else []
        if first is not None:
            blocks += _result(first, standings.get(id(first)))
            blocks += () if brief else _deciding(group, standings, anchors)
        if wrong is not None:
            blocks.append(Note(str(wrong), "warning", level=WHOLE))
        is_best = any(of is group for of in last.values())
        if command := _next(group, verdict, sweeps, is_best=is_best):
            blocks.append(Code(command, language="sh", level=WHOLE))
        runs = plural(sum(row.runs for row in group.rows), "run")
        about = f"{runs} of {plural(len(group.rows), 'setting')}"
        yield Section(f"{title}: {about}", blocks)


def _result(row: Row, standing: Standing | None) -> Iterator[Note]:
    """Results of the row on rows for testing."""
    split = next((each for each in ("test", "validation", "train") if row.summary(each)), "test")
    runs = {} if standing is None else completed_runs((standing.variant, [*standing.scores]))
    overlap = 0.0 if standing is None else standing.variant.overlap.get(split, 0.0)
    parts = []
    for name in _USUAL:
        values = [run.metrics.get(f"{split}_{name}") for run in runs.values()]
        known = [value for value in values if value is not None]
        if known and len(known) == len(runs):
            found = summarize(known, overlap, bounds_of(name), design_of(runs))
            assert found is not None, "there are values"
            parts.append(f"{_USUAL[name]} {measured(found.mean, found.half)}")
    if parts:
        yield Note(f"{split.capitalize()}: {', '.join(parts)}.", level=WHOLE)


def _deciding(
    group: Group, standings: Mapping[int, Standing], anchors: Mapping[str, str]
) -> Iterator[Block]:
    """The rows that may be the best, the reference models, the best network, and the baselines."""
    tied = [row for row in group.rows if row.rank and row.tied]
    beside = [row for row in group.rows if row.rank and not row.is_network]
    some = {id(row) for row in (*tied[:_MOST], *beside[:_MOST], group.first_network)}
    rows = [row for row in group.rows if id(row) in some]
    runs = [standings[id(row)].scores if id(row) in standings else () for row in rows]
    ends, names = baselines(rows[0]), names_of(group)
    values = [values_of(group, of_row) for of_row in runs]
    scale = scale_of([*chain.from_iterable(values)])
    times = durations([row.seconds for row in rows])
    cells = [
        [
            Cell(names.whole(row), link=anchors.get(row.best_run or "")),
            strip_cell(group, row, of_row, scale),
            mean_cell(row.summary(group.ordered_by)),
            mean_cell(row.summary("test")),
            Cell(time),
        ]
        for row, of_row, time in zip(rows, values, times, strict=True)
    ]
    for what, value in ends:
        drawing = strip([value], scale, None, None, value)
        text = [Cell(number(value)), Cell(MISSING), Cell(MISSING)]
        cells.append([Cell(what, kind="soft"), Cell(MISSING, drawing=drawing), *text])
    label = metric_label(group.metric)
    header = ["setting", "each run", f"{group.ordered_by} {label} ± 95%", "test ± 95%", "time"]
    marks = {"each run": strip_scale(scale)} if any(values) else {}
    table = Grid("What decides", header, cells, hidden=True, marks=marks, level=WHOLE)
    by_test = group.ordered_by == "test" or not any(row.test for row in rows)
    shown = [0, *([1] if marks else []), 2, *([] if by_test else [3]), 4]
    yield table.only(shown)
    if left := len(tied[_MOST:]):
        yield Note(f"{count(left)} more may be the best, too.", "small", level=WHOLE)


def _next(group: Group, verdict: GroupVerdict, sweeps: Mapping[str, str], *, is_best: bool) -> str:
    """The command that goes on: more seeds where they may decide, else predictions.

    `is_best` is whether NAME/best is the median run of the best network here.
    """
    network, words = group.first_network, _SEEDS.search(verdict.others)
    sweep = "" if verdict.row is None else sweeps.get(verdict.row.name, "")
    if words and sweep and verdict.lead == UNDECIDED and "seed" not in sweep.replace("--seeds", ""):
        more = f" --seeds {words[1] or words[2]}"
        return re.sub(r" --seeds[ =]\d+|$", more, sweep, count=1)
    if network is None:
        return ""
    which = f"{network.name}/{BEST}" if is_best else str(network.best_run)
    note = "" if verdict.row is network else "  # by the best network"
    return shlex.join(["nnrun", "predict", which, "new.csv"]) + note
