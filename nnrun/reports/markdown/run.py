"""report.md: everything about a run, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnrun.reports.markup import code, escape, grid_table, sentence, table
from nnrun.reports.numbers import count, moment, number, sparkline, thinned
from nnrun.reports.run_tables import (
    classes_table,
    environment_table,
    metrics_table,
    network_table,
    plugin_options,
    published_table,
)
from nnrun.reports.split_words import decision_line, decision_table
from nnrun.reports.summary import (
    baseline_line,
    held_out_notes,
    metric_notes,
    monitored,
    published_source,
    split_line,
    splits,
    status_words,
    training_line,
    warnings_of,
)
from nnrun.reports.verdict.lines import verdict_markdown
from nnrun.reports.verdict.run import run_verdict
from nnrun.reports.watched_words import inside_table, looks_line
from nnrun.runs.record import RunRecord, RunResult

# A larger matrix does not fit a page; report.json has it.
_MOST_CLASSES = 20
_MOST_ROWS = 10


def report_markdown(result: RunResult) -> str:
    """The report of a run as Markdown."""
    return "\n\n".join(_blocks(result)) + "\n"


def _blocks(result: RunResult) -> Iterator[str]:
    record = result.record
    yield f"# {escape(record.name)}"
    if record.description:
        yield escape(record.description)
    yield verdict_markdown(run_verdict(record))
    yield _status(record)
    if warnings := warnings_of(record):
        lines = [f"- {sentence(escape(warning))}" for warning in warnings]
        yield "\n".join(["**Warnings**: what was seen, and its likeliest causes:", "", *lines])
    yield from _results(record)
    yield from _classes(record)
    yield from _curve(result)
    if record.beside is None:
        yield "## Network"
        yield grid_table(network_table(record.network))
    if result.watched is not None and result.watched.iterations:
        yield "## Inside while it trained"
        yield grid_table(inside_table(result.watched, record))
        yield f"{looks_line(result.watched)}."
    yield from _about(result)


def _status(record: RunRecord) -> str:
    status = status_words(record.status, len(record.warnings))
    line = f"Run `{record.run_id}` of {moment(record.started)}: **{status}**."
    error = f" {sentence(escape(record.error))}" if record.error else ""
    return f"{line}{error} {sentence(training_line(record))}"


def _results(record: RunRecord) -> Iterator[str]:
    yield "## Results"
    yield grid_table(metrics_table(record))
    yield f"The baseline is {baseline_line(record)}."
    yield from (sentence(escape(note)) for note in metric_notes(record))
    if (decided := decision_table(record)) is not None:
        yield "## Threshold"
        yield escape(sentence(decision_line(record)))
        yield grid_table(decided)
    if record.published:
        yield "## Published numbers"
        if source := published_source(record):
            yield f"From: {escape(source)}."
        yield grid_table(published_table(record))


def _about(result: RunResult) -> Iterator[str]:
    record = result.record
    dataset = record.dataset
    yield "## Data"
    about = f": {escape(dataset['description'])}" if dataset.get("description") else ""
    yield f"{escape(split_line(dataset))}{about}. SHA-256 `{dataset['sha256']}`."
    yield from (sentence(escape(note)) for note in held_out_notes(dataset))
    if dataset.get("note"):
        yield f"> {escape(dataset['note'])}"
    yield "## Config"
    yield "Resolved, with all defaults; the same as `config.yaml`."
    yield code(result.config_yaml, "yaml")
    yield "## To repeat it"
    what = "weights" if record.beside is None else "numbers"
    yield (
        "In this folder, this command trains the run again, into a folder `again`. On the same "
        f"machine{_or_another(record)} the {what} are the same to the last bit"
        + (f": SHA-256 `{record.weights_sha256}`." if record.weights_sha256 else ".")
    )
    yield code(f"nnrun train config.yaml --results again{plugin_options(record)}", "sh")
    yield "## Environment"
    yield grid_table(environment_table(record))


def _or_another(record: RunRecord) -> str:
    alike = record.engine == "compiled" and record.environment.get("architecture") == "x86_64"
    return " or another of this architecture with FMA" if alike else ""


def _classes(record: RunRecord) -> Iterator[str]:
    """Metrics of each class and the confusion matrix on the last split; nothing for regression."""
    split = splits(record.dataset)[-1]
    numbers: dict[str, Any] | None = record.metrics[split]
    if record.task != "classification" or numbers is None:
        return
    classes = [escape(name) for name in record.dataset["classes"]]
    yield f"## Classes ({split})"
    yield grid_table(classes_table(record, split))
    if len(classes) > _MOST_CLASSES:
        return
    yield "Confusion matrix: a row for each true class, a column for each predicted class."
    yield table(
        ["", *classes],
        [
            [
                f"**{name}**",
                *(_cell(value, true == predicted) for predicted, value in enumerate(line)),
            ]
            for true, (name, line) in enumerate(zip(classes, numbers["confusion"], strict=True))
        ],
    )


def _cell(value: int, right: bool) -> str:
    if right:
        return f"**{count(value)}**"
    return count(value) if value else "·"


def _curve(result: RunResult) -> Iterator[str]:
    """Loss and main metric over the iterations; nothing for a run without evaluations."""
    history, record = result.history, result.record
    if not history:
        return
    yield "## Learning curve"
    parts = splits(record.dataset)
    names = dict.fromkeys(("loss", record.main_metric, monitored(record)))
    keys = [f"{split}_{what}" for split in parts for what in names]
    keys = [key for key in keys if key in history[0]]
    titles = [key.replace("_", " ", 1) for key in keys]
    if len(history) > 1:
        curves = [[row[key] for row in history] for key in keys]
        rows = [
            [name, sparkline(values), number(values[0]), number(values[-1])]
            for name, values in zip(titles, curves, strict=True)
        ]
        yield table(["", "curve", "first", "last"], rows, texts=2)
    header = ["iteration", "epoch", *titles]
    rows = [
        [count(int(row["iteration"])), f"{row['epoch']:.1f}", *[number(row[key]) for key in keys]]
        for row in thinned(history, _MOST_ROWS)
    ]
    yield table(header, rows, texts=0)
    parts = [split for split in parts if f"{split}_rows" in history[0]]
    if parts:
        sizes = [f"{count(int(history[0][f'{split}_rows']))} {split}" for split in parts]
        yield f"Evaluations before the last one are on {', '.join(sizes)} rows, the last on all."
    yield "Every evaluation is in `history.csv`."
