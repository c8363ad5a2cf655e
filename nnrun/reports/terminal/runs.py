"""Lists of runs as data, tables, CSV and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import takewhile
from typing import Any

from rich.console import RenderableType, group
from rich.text import Text

from nnrun.characters import cell, clean, csv_line
from nnrun.config.names import SPLITS
from nnrun.config.settings import (
    choice_of,
    choice_words,
    differing,
    in_common,
    outermost,
    setting_of,
    told_apart,
    value_words,
)
from nnrun.reports.document import StatusMark
from nnrun.reports.markup import escape, table
from nnrun.reports.numbers import MISSING, count, number, plural
from nnrun.reports.progress_words import status_of
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.fitting import Column, FittedTable, mark_style
from nnrun.runs.catalog.select import RESULT, metric_in, value_of
from nnrun.runs.catalog.summary import DATA, MAPPINGS, PLAIN, UNREADABLE, RunSummary
from nnrun.runs.record import now
from nnrun.runs.storage.reading import STUCK, damaged

Varied = Mapping[str, Sequence[str]]
Choices = Mapping[tuple[str, str], Mapping[str, Any]]
Searched = tuple[Choices, Set[tuple[str, str]]]
"""The settings that a search chose, by name and id of their runs, and which runs it ended early."""
NOT_SEARCHED: Searched = {}, frozenset()
ByName = dict[str, dict[int, Mapping[str, Any]]]
"""Settings of listed runs, by name and place in the list."""

_LEAST_DIGITS = 4  # of the digest in a run's id, in short forms
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
    others = {"progress": progress, "note": run.note, "tags": run.tags}
    return {key: getattr(run, key) for key in PLAIN} | mappings | others


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
    choices = _choices(runs, keys, sort, searched)
    if shared := _in_every_row(choices):
        yield Text(clean(shared))
        yield Text()
    yield FittedTable(_columns(runs, choices, sort, searched))
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
    runs: Sequence[RunSummary], choices: ByName, sort: str | None, searched: Searched
) -> list[Column]:
    _, early = searched

    def statuses(words: Callable[[RunSummary], str]) -> list[Text]:
        return [_status(r, _EARLY if (r.name, r.run_id) in early else words(r)) for r in runs]

    words, named = _settings(runs, choices), [*zip(runs, _short_ids(runs), strict=True)]
    in_a_line, in_two = ([f"{run.name}{by}{short}" for run, short in named] for by in ("/", "/\n"))
    legend = "in parentheses: the number of warnings" * any(run.warnings for run in runs)
    columns = [
        Column("run", [r.label for r in runs], left=True, short=[in_a_line, in_a_line, in_two]),
        Column(
            "status", statuses(status_of), need=1, left=True, short=[statuses(_short_status)],
            legend=legend,
        ),
        Column("settings", words, need=2, left=True, wraps=True, lines=_MOST_LINES),
        *_results(runs, sort),
        Column("train", [number(run.train) for run in runs], need=4),
        Column("started", _moments([run.started for run in runs]), need=3, left=True),
        Column("note", [clean(run.note) for run in runs], need=5, left=True, wraps=True, lines=2),
    ]  # fmt: skip
    only_train = all(run.result is None or run.result[0] == "train" for run in runs)
    train_is_shown = only_train or sort == "train"
    unnoted = not any(run.note for run in runs)
    empty = {"settings": not any(words), "train": train_is_shown, "note": unnoted}
    return [column for column in columns if not empty.get(column.title)]


def _choices(
    runs: Sequence[RunSummary], keys: Varied, sort: str | None, searched: Searched
) -> ByName:
    """The settings of each run that differ, or those that a search chose, by name and place.

    A column of its own shows what the list is sorted by.
    """
    by_name: ByName = {}
    choices: dict[tuple[str, int], Mapping[str, Any]] = {}  # seeds of one config share settings
    for place, run in enumerate(runs):
        config = run.name, id(run.settings)
        if config not in choices:
            shown = [key for key in keys.get(run.name, ()) if key != sort]
            choices[config] = choice_of(run.settings, shown)
        choice = searched[0].get((run.name, run.run_id)) or choices[config]
        by_name.setdefault(run.name, {})[place] = choice
    return by_name


def _settings(runs: Sequence[RunSummary], by_name: ByName) -> list[str]:
    """What tells each run from the other listed ones of its name: its fold, the settings that
    differ, and the run that it goes on from.
    """
    texts = [""] * len(runs)
    for choices in by_name.values():
        for place, choice in zip(choices, told_apart([*choices.values()]), strict=True):
            run = runs[place]
            parts = {"split.seed": run.split_seed, "fold": run.fold}
            words = [f"{key}={value}" for key, value in parts.items() if value is not None]
            words += _words(choice)
            if run.extended_from is not None:
                words.append(f"extended from {_start_of(run.extended_from, _LEAST_DIGITS)}")
            texts[place] = " ".join(words)
    return texts


def _in_every_row(by_name: ByName) -> str:
    """`In every row: depth=2.`, the settings that several runs of a name share; or nothing."""
    texts = []
    for name, choices in by_name.items():
        words = " ".join(_words(in_common([*choices.values()]))) if len(choices) > 1 else ""
        if words:
            texts.append(words if len(by_name) == 1 else f"{name}: {words}")
    of = ": " if len(by_name) == 1 else " of "
    return f"In every row{of}{'; of '.join(texts)}." if texts else ""


def _words(choice: Mapping[str, Any]) -> list[str]:
    """Null values are left out: extended runs would have many of them."""
    values = {key: value for key, value in choice.items() if value is not None}
    data = values.pop(DATA, None)
    return choice_words(values) + ([] if data is None else [f"data with digest {data}"])


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
    for digits in range(_LEAST_DIGITS, 11):
        ids = [_start_of(run.run_id, digits) for run in runs]
        labels = {run.label for run in runs}
        if len({f"{r.name}/{p}" for r, p in zip(runs, ids, strict=True)}) == len(labels):
            return ids
    return [run.run_id for run in runs]


def _start_of(run_id: str, digits: int) -> str:
    """A run's id with this many digits of its digest."""
    seed, dash, digest = run_id.partition("-")
    return f"{seed}{dash}{digest[:digits]}"


def _status(run: RunSummary, words: str) -> Text:
    return Text(clean(words), style=mark_style(StatusMark.of(run.status, run.warnings)))


def _short_status(run: RunSummary) -> str:
    """`completed (2)`, with two warnings; `running 43%`."""
    return f"{run.status} ({count(run.warnings)})" if run.warnings else status_of(run)


def _moments(started: Sequence[str | None]) -> list[str]:
    """Month, day and time; for lack of room with the year only if one is not of this year."""
    texts = [clean(str(moment)) if moment else "" for moment in started]
    begin = 5 if {text[:4] for text in texts if text} <= {now()[:4]} else 0
    return [text[begin:16].replace("T", " ") or MISSING for text in texts]


def runs_csv(runs: Sequence[RunSummary], keys: Varied) -> str:
    """CSV with full precision, and a column for each metric and each setting in which runs of a
    name, or two of these runs, differ.
    """
    every = {id(run.settings): dict(run.settings) for run in runs if run.settings}
    of_names = (key for name in keys for key in keys[name])
    settings = outermost([*of_names, *differing([*every.values()])])
    metrics = dict.fromkeys(key for run in runs for key in run.metrics)
    rows: list[list[Any]] = [[*PLAIN, "note", *metrics, *settings]]
    for run in runs:
        values = [getattr(run, key) for key in (*PLAIN, "note")]
        values += [run.metrics.get(key) for key in metrics]
        rows.append([*values, *(setting_of(run.settings, key) for key in settings)])
    return "".join(csv_line(map(cell, row)) for row in rows)


def runs_markdown(
    runs: Sequence[RunSummary],
    keys: Varied,
    sort: str | None = None,
    searched: Searched = NOT_SEARCHED,
) -> str:
    """The table as Markdown."""
    choices = _choices(runs, keys, sort, searched)
    columns = _columns(runs, choices, sort, searched)
    rows = zip(*(map(escape, column.texts) for column in columns), strict=True)
    texts = sum(1 for _ in takewhile(lambda column: column.left, columns))
    text = table([column.title for column in columns], rows, texts) + "\n"
    shared = _in_every_row(choices)
    return f"{escape(shared)}\n\n{text}" if shared else text


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
        split, numbers = key.partition("_")[0], [value_of(run, key) for run in runs]
        places = [split if split in SPLITS else run.choosing for run in runs]
        pairs = zip(places, numbers, strict=True)
        return _metric_column(runs, [None if v is None else (s, v) for s, v in pairs], metric)
    return Column(clean(key.removeprefix("training.")), [_cell(run, key) for run in runs])


def _metric_column(
    runs: Sequence[RunSummary], values: Metrics, metric: str | None = None
) -> Column:
    """A metric of runs, or the main one of each, on some split of each.

    The heading says which; where they differ, each cell does.
    """
    kinds = [
        None if value is None else (value[0], metric_label(metric or str(run.metric)))
        for run, value in zip(runs, values, strict=True)
    ]
    present = {kind for kind in kinds if kind}
    metrics = {label for _, label in present}
    title, left = _MIXED, 2  # this many words of each kind are left to the cells
    if len(metrics) == 1:
        title, left = metrics.pop(), 1
    if len(present) == 1:
        title, left = " ".join(present.pop()), 0
    cells = [
        MISSING
        if kind is None or value is None
        else clean(" ".join([*kind[:left], number(value[1])]))
        for kind, value in zip(kinds, values, strict=True)
    ]
    return Column(title, cells)


def _cell(run: RunSummary, key: str) -> str:
    value = value_of(run, key)
    if value is None:
        return MISSING
    return number(value) if key == "seconds" else clean(value_words(key, value))
