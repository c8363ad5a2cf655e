"""A run in a notebook, with its results and its learning curve; a checked config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from nnrun.characters import clean
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.lines import Series, lines
from nnrun.reports.charts.scales import log_suits
from nnrun.reports.charts.svg import element
from nnrun.reports.html.curves import kept_moment
from nnrun.reports.markup import sentence
from nnrun.reports.notebook.parts import image, table, verdict_lines
from nnrun.reports.run_tables import metrics_table, network_table
from nnrun.reports.summary import (
    data_line,
    metric_notes,
    splits,
    status_words,
    training_line,
    warnings_of,
)
from nnrun.reports.terminal.checking.checks import CheckedRun, gradients_table, memory_line
from nnrun.reports.terminal.checking.checks import training_line as plan_line
from nnrun.reports.verdict.run import run_verdict
from nnrun.runs.record import RunRecord

Row = dict[str, float | int]


def run_html(record: RunRecord, history: Sequence[Row], path: Path | None) -> str:
    """A run's status, its table of results and its learning curve.

    `history` has a row for each evaluation; a run in memory has no path.
    """
    return str(element("div", *_run(record, history, path)))


def _run(record: RunRecord, history: Sequence[Row], path: Path | None) -> Iterator[Markup]:
    title = element("strong", clean(f"{record.name}/{record.run_id}"))
    status = status_words(record.status, len(record.warnings))
    yield element("p", title, f" {status}", *([clean(f": {record.error}")] * bool(record.error)))
    yield from verdict_lines(run_verdict(record))
    if any(record.metrics.values()):
        grid = metrics_table(record)
        yield table(grid.header, grid.words)
    if record.warnings and record.status == "completed":
        # All of them, since a run in memory has no report that lists the rest.
        warnings = " ".join(map(sentence, warnings_of(record)))
        yield element("p", element("strong", "warning"), clean(f": {warnings}"))
    yield from (element("p", clean(sentence(note))) for note in metric_notes(record))
    if len(history) > 1:
        yield image(_curve(record, history))
    yield element("p", clean(f"{data_line(record.dataset)}. {training_line(record)}."))
    if note := record.dataset.get("note"):
        yield element("p", clean(str(note)))
    if path is not None:
        yield element("p", clean(str(path)))


def _curve(record: RunRecord, history: Sequence[Row]) -> Chart:
    parts = [part for part in splits(record.dataset) if f"{part}_loss" in history[0]]
    iterations = [row["iteration"] for row in history]
    series = [
        Series(part, iterations, [row[f"{part}_loss"] for row in history], index=index)
        for index, part in enumerate(parts)
    ]
    losses = [value for one in series for value in one.y]
    return lines(
        f"Loss of {record.name}", series, x_label="iteration", y_label="loss",
        log=log_suits(losses), moment=kept_moment(record),
    )  # fmt: skip


def check_html(run: CheckedRun) -> str:
    """What `nnrun check` shows."""
    return str(element("div", *_check(run)))


def _check(run: CheckedRun) -> Iterator[Markup]:
    description = f": {run.description}" if run.description else ""
    title = element("strong", clean(f"{run.name}/{run.run_id}"))
    yield element("p", title, " valid", clean(description))
    if run.beside is None:
        grid = network_table(run.network)
        yield table(grid.header, grid.words)
    about = [data_line(run.dataset), plan_line(run)]
    if run.memory is not None:
        about.append(f"memory: {memory_line(run.memory)}")
    yield element("p", clean(f"{'. '.join(about)}."))
    if run.gradients is not None:
        columns = gradients_table(run.gradients).columns
        rows = zip(*(column.texts for column in columns), strict=True)
        yield table([column.title for column in columns], rows)
