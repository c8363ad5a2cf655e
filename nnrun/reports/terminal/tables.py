"""Run records as terminal tables, and helpers for tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType, group
from rich.table import Table
from rich.text import Text

from nnrun.characters import clean
from nnrun.reports.markup import sentence
from nnrun.reports.numbers import metric_number
from nnrun.reports.run_tables import metrics_table, published_table
from nnrun.reports.split_words import decision_line, decision_table
from nnrun.reports.summary import (
    baseline_line,
    data_line,
    first_sentence,
    metric_label,
    metric_notes,
    published_source,
    splits,
    status_words,
    training_line,
    warnings_of,
)
from nnrun.reports.tables import Grid
from nnrun.reports.verdict.lines import Verdict
from nnrun.reports.verdict.run import run_verdict
from nnrun.runs.catalog.summary import COMPLETED, INTERRUPTED, QUEUED, RUNNING

if TYPE_CHECKING:  # not imported for lists of runs
    from nnrun.runs.record import RunRecord

_LABEL_WIDTH = 9
_LONGEST_LEAD = 20
_CELL_STYLES = {"strong": "bold", "soft": "dim"}
_STATUS_STYLES = {COMPLETED: "green", INTERRUPTED: "yellow", RUNNING: "cyan", QUEUED: "dim"}


@group()
def run_summary(
    record: RunRecord, folder: Path, packed: str | None = None
) -> Iterator[RenderableType]:
    """A run's result: name, metrics, remarks, and the path of its report or of its packed file."""
    yield heading(record)
    if record.description:
        yield Text(clean(record.description), style="italic")
    yield verdict_text(run_verdict(record))
    if any(record.metrics.values()):
        yield Text()
        n = len(splits(record.dataset))
        # Of the baselines, only that of the last split: lines are narrow.
        yield rich_table(metrics_table(record).only([*range(n + 1), 2 * n]))
    if (decided := decision_table(record)) is not None:
        yield Text()
        yield rich_table(decided)
    if record.published:
        yield Text()
        yield rich_table(published_table(record))
    yield Text()
    for index, warning in enumerate(warnings_of(record) if record.status == COMPLETED else ()):
        yield labelled("" if index else "warning", clean(sentence(warning)), style="yellow")
    for note in metric_notes(record):
        yield labelled("metrics", clean(note), style="yellow")
    for label, text in _remarks(record):
        yield labelled(label, clean(text))
    if packed is None:
        yield unbroken("report", clean(str(folder / "report.md")))
    else:
        yield unbroken("file", clean(packed))


def _remarks(record: RunRecord) -> Iterator[tuple[str, str]]:
    if any(record.metrics.values()):
        yield "baseline", baseline_line(record)
    if record.decision is not None:
        yield "threshold", decision_line(record)
    if record.published:
        yield "published", published_source(record) or "the config names no source"
    if record.dataset.get("note"):
        note = first_sentence(str(record.dataset["note"]))
        more = f" (`nnrun datasets {record.dataset['name']}` says more.)"
        yield "note", note + (more if note != record.dataset["note"] else "")
    yield "data", data_line(record.dataset)
    yield "training", training_line(record)


def verdict_text(verdict: Verdict) -> Table:
    """A paragraph for each line, beside its lead in bold."""
    leads = [f"{clean(line.lead)}:" for line in verdict.lines]
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=min(max(map(len, leads)), _LONGEST_LEAD), style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for lead, line in zip(leads, verdict.lines, strict=True):
        table.add_row(lead, f"{clean(line.text)}.")
    return table


def heading(record: RunRecord) -> Text:
    """Name, id, and the status unless the run is completed without warnings."""
    text = Text.assemble((clean(record.name), "bold"), "  ", (record.run_id, "dim"))
    words = status_words(record.status, len(record.warnings))
    if words != COMPLETED:
        text.append(f"  {words}", style=status_style(record.status, len(record.warnings)))
    return text


def status_style(status: str, warnings: int) -> str:
    """The colour of a status."""
    return "yellow" if status == COMPLETED and warnings else _STATUS_STYLES.get(status, "bold red")


def score_table(metrics: dict[str, Any]) -> Table:
    """How good the predictions for a file are: a row for each metric that is a single number."""
    table = plain_table("", "score")
    undefined = metrics.get("undefined") or {}
    for name, value in metrics.items():
        if value is None or isinstance(value, float):
            shown = "undefined" if name in undefined else metric_number(name, value)
            table.add_row(metric_label(name), shown)
    return table


def rich_table(grid: Grid) -> Table:
    """A table of a report."""
    table = plain_table(*grid.header, texts=grid.texts)
    for row in grid.rows:
        table.add_row(*(Text(clean(cell.text), _CELL_STYLES.get(cell.kind, "")) for cell in row))
    return table


def plain_table(*columns: str, texts: int = 1) -> Table:
    """A table without borders: the first columns left-aligned, the others right-aligned."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < texts else "right", overflow="fold")
    return table


def labelled(label: str, text: str, width: int = _LABEL_WIDTH, style: str = "dim") -> Table:
    """A label and a text that wraps beside it."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=width, no_wrap=True, style=style)
    table.add_column(overflow="fold")
    table.add_row(label, text)
    return table


def unbroken(label: str, text: str) -> Text:
    """A label and a path or command on one line of any length, so that it can be copied."""
    parts = (f"{label:<{_LABEL_WIDTH}}  ", "dim"), text
    return Text.assemble(*parts, no_wrap=True, overflow="ignore")
