"""Lists of runs as data, tables, CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rich.console import RenderableType, group
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.names import SPLITS
from nnrun.config.setting_words import setting_words
from nnrun.config.settings import setting_of
from nnrun.reports.document import StatusMark
from nnrun.reports.markup import escape
from nnrun.reports.numbers import MISSING, count, number, plural
from nnrun.reports.progress_words import status_of
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.blocks import mark_style
from nnrun.reports.terminal.fitting import Column, FittedTable, markdown_table
from nnrun.reports.terminal.run_settings import (
    LEAST_DIGITS,
    NOT_SEARCHED,
    Searched,
    Varied,
    in_every_row,
    settings_of_each,
    start_of,
    without,
)
from nnrun.runs.catalog.filter import RESULT, metric_in, value_of
from nnrun.runs.catalog.summary import MAPPINGS, PLAIN, UNREADABLE, RunSummary
from nnrun.runs.storage.reading import STUCK, damaged
from nnrun.spreadsheet import cell

_MOST_LINES = 2

_EARLY = "ended early"
_MIXED = "result"
# Keys that the other columns of the list show.
_SHOWN = ("name", "status", "started", "seed")
Metrics = Sequence[tuple[str, float] | None]


def listed_data(run: RunSummary) -> dict[str, Any]:
    """A run as JSON data."""
    mappings = {key: dict(getattr(run, key)) for key in MAPPINGS}
    progress = None if run.progress is None else run.progress.numbers()
    return {key: getattr(run, key) for key in PLAIN} | mappings | {"progress": progress}


@group()
def runs_table(
    runs: Sequence[RunSummary],
    total: int,
    keys: Varied,
    sort: str | None = None,
    searched: Searched = NOT_SEARCHED,
    top: int | None = None,
) -> Iterator[RenderableType]:
    """A row for each run, and the total.

    `keys` are the settings in which runs of a name differ, by name; runs of a search have those
    that it chose. The list is cut from `total` runs, to the `top` of each kind where that is given;
    a full key `sort` that it is sorted by has a column.
    """
    if shared := in_every_row(runs, keys, sort, searched):
        yield Text(clean(shared))
        yield Text()
    yield FittedTable(_columns(runs, keys, sort, searched), more="--wide")
    yield Text()
    part = "" if len(runs) == total else f", {count(len(runs))} of them shown"
    more = "; --all shows all"
    if top is not None and len(runs) > top:
        more = f": of those that can be compared, the first {count(top)} each"
    yield Text(plural(total, "run") + (part and part + more))
    unreadable = Counter(str(run.error) for run in runs if run.status == UNREADABLE)
    for why, number_of in unreadable.items():
        yield Text(clean(damaged(plural(number_of, "run"), why)))
    _, early = searched
    stuck = [r for r in runs if r.error == STUCK and (r.name, r.run_id) not in early]
    if stuck:
        yield Text(f"{count(len(stuck))} interrupted: {STUCK}")


def _columns(
    runs: Sequence[RunSummary],
    keys: Varied,
    sort: str | None = None,
    searched: Searched = NOT_SEARCHED,
) -> list[Column]:
    choices, early = searched
    told = without(keys, sort)
    words = settings_of_each(runs, told, choices)
    has_blocks = any("{" in text for text in words)
    parts = [settings_of_each(runs, told, choices, short=True)] if has_blocks else []
    prefixes = _short_ids(runs)
    ended = {run.label for run in runs if (run.name, run.run_id) in early}
    columns = [
        Column(
            "run",
            [run.label for run in runs],
            left=True,
            short=[
                *[[f"{run.name}/{prefix}" for run, prefix in zip(runs, prefixes, strict=True)]] * 2,
                [f"{run.name}/\n{prefix}" for run, prefix in zip(runs, prefixes, strict=True)],
            ],
        ),
        Column(
            "status",
            [_status(run, _EARLY if run.label in ended else status_of(run)) for run in runs],
            need=1,
            left=True,
            short=[
                [_status(run, _EARLY if run.label in ended else _short_status(run)) for run in runs]
            ],
            legend="in parentheses: the number of warnings"
            if any(r.warnings for r in runs)
            else "",
        ),
        Column("settings", words, need=2, left=True, wraps=True, short=parts, lines=_MOST_LINES),
        *_results(runs, sort),
        Column("train", [number(run.train) for run in runs], need=4),
        Column("started", [_moment(run.started) for run in runs], need=3, left=True),
    ]
    only_train = all(run.result is None or run.result[0] == "train" for run in runs)
    train_is_shown = only_train or sort == "train"
    empty = {"settings": not any(words), "train": train_is_shown}
    return [column for column in columns if not empty.get(column.title)]


def _results(runs: Sequence[RunSummary], sort: str | None) -> list[Column]:
    """What the runs are sorted by, and the main metric on the most telling split of each."""
    result = _metric_column(runs, [run.result for run in runs])
    column = None if sort is None else _sort_column(runs, sort)
    if column is None or (column.title, column.cells) == (result.title, result.cells):
        return [result]
    # Where metrics differ, each cell names its own, and both columns would be `result`.
    title = "ordered by" if column.title == result.title else column.title
    return [replace(column, title=title), replace(result, need=3 if title == "ordered by" else 1)]


def _short_ids(runs: Sequence[RunSummary]) -> list[str]:
    """The shortest unique start of each run's id among the runs of its name."""
    for digits in range(LEAST_DIGITS, 11):
        found = [start_of(run.run_id, digits) for run in runs]
        labels = {run.label for run in runs}
        if len({f"{r.name}/{p}" for r, p in zip(runs, found, strict=True)}) == len(labels):
            return found
    return [run.run_id for run in runs]


def _status(run: RunSummary, words: str) -> Text:
    return Text(clean(words), style=mark_style(StatusMark.of(run.status, run.warnings)))


def _short_status(run: RunSummary) -> str:
    """`completed (2)`, with two warnings; `running 43%`."""
    return f"{run.status} ({count(run.warnings)})" if run.warnings else status_of(run)


def _moment(started: str | None) -> str:
    """Month, day and time; the year is left out for lack of room."""
    return clean(str(started))[5:16].replace("T", " ") if started else MISSING


def runs_csv(runs: Sequence[RunSummary], keys: Varied) -> str:
    """CSV with full precision and a column for each metric and each differing setting."""
    text = io.StringIO()
    found = dict.fromkeys(key for name in keys for key in keys[name])
    metrics = dict.fromkeys(key for run in runs for key in run.metrics)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(cell, [*PLAIN, *metrics, *found]))
    for run in runs:
        values = [getattr(run, key) for key in PLAIN] + [run.metrics.get(key) for key in metrics]
        writer.writerow(map(cell, [*values, *(setting_of(run.settings, key) for key in found)]))
    return text.getvalue()


def runs_markdown(
    runs: Sequence[RunSummary],
    keys: Varied,
    sort: str | None = None,
    searched: Searched = NOT_SEARCHED,
) -> str:
    """The table as Markdown."""
    columns = _columns(runs, keys, sort, searched)
    table = markdown_table([column.escaped for column in columns]) + "\n"
    shared = in_every_row(runs, keys, sort, searched)
    return f"{escape(shared)}\n\n{table}" if shared else table


def _sort_column(runs: Sequence[RunSummary], key: str) -> Column | None:
    """A column for a key; None where each list has it."""
    if key == RESULT:
        return _metric_column(runs, [run.ranking for run in runs])
    if key in SPLITS:
        values = [getattr(run, key) for run in runs]
        return _metric_column(runs, [None if v is None else (key, v) for v in values])
    if key in _SHOWN:
        return None
    if (metric := metric_in(key)) is not None:
        split, found = key.partition("_")[0], [value_of(run, key) for run in runs]
        places = [split if split in SPLITS else run.choosing for run in runs]
        pairs = zip(places, found, strict=True)
        return _metric_column(runs, [None if v is None else (s, v) for s, v in pairs], metric)
    return Column(clean(key.removeprefix("training.")), [_cell(run, key) for run in runs])


def _metric_column(
    runs: Sequence[RunSummary], values: Metrics, metric: str | None = None
) -> Column:
    """A metric of runs, or the main one of each, on some split of each.

    The heading says which; where they differ, each cell does.
    """
    kinds = [
        None if found is None else (found[0], metric_label(metric or str(run.metric)))
        for run, found in zip(runs, values, strict=True)
    ]
    known = {kind for kind in kinds if kind}
    metrics = {label for _, label in known}
    title, left = _MIXED, 2  # this many words of each kind are left to the cells
    if len(metrics) == 1:
        title, left = metrics.pop(), 1
    if len(known) == 1:
        title, left = " ".join(known.pop()), 0
    cells = [
        MISSING
        if kind is None or found is None
        else clean(" ".join([*kind[:left], number(found[1])]))
        for kind, found in zip(kinds, values, strict=True)
    ]
    return Column(title, cells)


def _cell(run: RunSummary, key: str) -> str:
    value = value_of(run, key)
    if value is None:
        return MISSING
    return number(value) if key == "seconds" else clean(setting_words(key, value))
