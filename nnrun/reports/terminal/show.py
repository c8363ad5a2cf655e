"""Everything about one run, for the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import RenderableType, group
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.names import SPLITS
from nnrun.config.setting_words import value_words
from nnrun.config.settings import setting_of
from nnrun.errors import NnrunError
from nnrun.reports.numbers import count, moment
from nnrun.reports.progress_words import iteration_words, loss_words, pace_words, status_of
from nnrun.reports.run_tables import network_table, plugin_options
from nnrun.reports.split_words import split_title
from nnrun.reports.summary import History, curve_names, metric_label, monitored, splits
from nnrun.reports.terminal.fitting import Column, FittedTable
from nnrun.reports.terminal.plot import Curve, Plot
from nnrun.reports.terminal.tables import labelled, rich_table, run_summary, unbroken, verdict_text
from nnrun.reports.verdict.run import summary_verdict
from nnrun.runs.catalog.summary import DAMAGED, FAULTY, RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.replicate import Replicate
from nnrun.runs.storage.contents.names import WATCHED
from nnrun.runs.storage.contents.progress import RunProgress
from nnrun.runs.storage.reading import remedy

_MARKS = {"test": ("•", "cyan"), "validation": ("+", "yellow"), "train": ("·", "")}
_BLOCKS = ("dataset", "network", "loss", "training")
# A larger matrix does not fit a screen; report.json has it.
_MOST_CLASSES = 20


@group()
def run_in_full(
    run: RunSummary, record: RunRecord, history: History, folder: Path, packed: str | None = None
) -> Iterator[RenderableType]:
    """Results, learning curves, confusion matrix, network, and the command that repeats it.

    `packed` is the file that the run was unpacked from; its folder is there for this command alone.
    """
    if run.status != record.status:
        yield Text(f"{run.status}: the following is from its last report", "bold yellow")
    if run.error and run.status == DAMAGED:
        yield Text(clean(run.error), "bold red")
        yield unbroken("to do", clean(remedy(run.error, None if packed else folder)))
    yield run_summary(record, folder, packed)
    if run.error and run.status != DAMAGED:
        yield labelled("error", clean(run.error), style="bold red")
    for plot in _plots(record, history):
        yield Text()
        yield plot
    yield from _confusion(record)
    if record.beside is None:
        yield Text()
        yield rich_table(network_table(record.network))
    yield from _inside(record, folder)
    yield Text()
    options = plugin_options(record)
    here = again(folder) if packed is None else f"nnrun verify {quote(packed)}"
    yield unbroken("again", here + options)


@group()
def run_at_a_glance(run: RunSummary, folder: Path) -> Iterator[RenderableType]:
    """The summary of a run without a readable report, and its curve if it is in progress."""
    yield Text.assemble((clean(run.name), "bold"), "  ", run.run_id, f"  {status_of(run)}")
    yield verdict_text(summary_verdict(run))
    yield Text()
    if run.progress is not None:
        yield from _so_far(run, run.progress)
    if run.error:
        yield labelled("why", clean(run.error))
    if run.status in FAULTY:
        yield unbroken("to do", clean(remedy(run.error, folder)))
    if run.started:
        changed = moment(run.started).replace("T", " ").partition("+")[0]
        yield labelled("changed", f"{changed} UTC")
    yield unbroken("folder", clean(str(folder)))


def _so_far(run: RunSummary, progress: RunProgress) -> Iterator[RenderableType]:
    yield labelled("at", ", ".join([iteration_words(progress), *pace_words(progress)]))
    if losses := loss_words(progress):
        yield labelled("loss", losses.removeprefix("loss "))
    replicate = Replicate(progress.seed, progress.split_seed, progress.fold)
    yield labelled("seed", replicate.words.removeprefix("seed="))
    for key in _BLOCKS:
        if block := setting_of(run.settings, key):
            yield labelled(key, clean(value_words(key, block)))
    history = progress.columns()
    if plot := _plot("loss", "loss", history, SPLITS):
        yield Text()
        yield plot
        yield Text()


def again(folder: Path) -> str:
    """The command that repeats a run, into another folder."""
    return shlex.join(["nnrun", "train", str(folder / "config.yaml"), "--results", "again"])


def _plots(record: RunRecord, history: History) -> Iterator[Plot]:
    for key in curve_names(record.main_metric, [history], monitored(record)):
        if plot := _plot(metric_label(key), key, history, splits(record.dataset)):
            yield plot


def _plot(title: str, key: str, history: History, names: Sequence[str]) -> Plot | None:
    """The curves of these splits; None without two evaluations."""
    curves = [
        Curve(split, history["iteration"], history[f"{split}_{key}"], *_MARKS[split])
        for split in reversed(names)
        if f"{split}_{key}" in history
    ]
    return Plot(title, curves) if any(len(curve.x) > 1 for curve in curves) else None


def _confusion(record: RunRecord) -> Iterator[RenderableType]:
    """A row for each true class, a column for each predicted class, on the last split."""
    split = splits(record.dataset)[-1]
    numbers: dict[str, Any] = record.metrics[split] or {}
    classes = [clean(str(name)) for name in record.dataset.get("classes") or ()]
    matrix = numbers.get("confusion")
    if not matrix or len(matrix) != len(classes) or len(classes) > _MOST_CLASSES:
        return
    columns = [
        Column("true class", classes, left=True),
        *(
            Column(
                name,
                [_cell(line[k], k == row) for row, line in enumerate(matrix)],
                need=k + 1 if len(classes) > 2 else 0,
            )
            for k, name in enumerate(classes)
        ),
    ]
    yield Text()
    yield Text(f"Predictions on the {split_title(split)}", "bold")
    yield FittedTable(columns, more="--wide or report.md")


def _inside(record: RunRecord, folder: Path) -> Iterator[RenderableType]:
    if WATCHED not in record.files:
        return
    # Slow to import.
    from nnrun.reports.watched_words import inside_table, looks_line  # noqa: PLC0415
    from nnrun.runs.storage.contents.watched import read_watched  # noqa: PLC0415

    try:
        watched = read_watched(folder, record)
    except NnrunError as error:
        yield Text(clean(str(error)), "bold red")
        return
    if watched is not None and watched.iterations:
        yield Text()
        yield rich_table(inside_table(watched, record))
        yield Text(f"{looks_line(watched)}; nnrun report has it as charts", "dim")


def _cell(value: int, right: bool) -> Text:
    return Text(count(value) if value or right else "·", style="bold" if right else "")
