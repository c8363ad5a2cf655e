"""report.md: everything about a run, for people."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.reports.markdown.classes import class_sections
from nnrun.reports.markdown.curve import curve_section
from nnrun.reports.markup import code, escape, grid_table, sentence
from nnrun.reports.numbers import moment
from nnrun.reports.run_tables import (
    environment_table,
    metrics_table,
    network_table,
    published_table,
)
from nnrun.reports.summary import (
    baseline_line,
    held_out_notes,
    published_source,
    split_line,
    splits,
    training_line,
    warnings_of,
)
from nnrun.runs.record import RunRecord, RunResult


def report_markdown(result: RunResult) -> str:
    """The report of a run as Markdown."""
    return "\n\n".join(_blocks(result)) + "\n"


def _blocks(result: RunResult) -> Iterator[str]:
    record = result.record
    yield f"# {escape(record.name)}"
    if record.description:
        yield escape(record.description)
    yield _status(record)
    if warnings := warnings_of(record):
        lines = [f"- {sentence(escape(warning))}" for warning in warnings]
        yield "\n".join(["**Warnings**, the likeliest cause first:", "", *lines])
    yield from _results(record)
    yield from class_sections(record)
    yield from curve_section(result.history, splits(record.dataset), record.main_metric)
    yield "## Network"
    yield grid_table(network_table(record.network))
    yield from _about(result)


def _status(record: RunRecord) -> str:
    line = f"Run `{record.run_id}` of {moment(record.started)}: **{record.status}**."
    error = f" {sentence(escape(record.error))}" if record.error else ""
    return f"{line}{error} {sentence(training_line(record))}"


def _results(record: RunRecord) -> Iterator[str]:
    yield "## Results"
    yield grid_table(metrics_table(record))
    yield f"The baseline is {baseline_line(record)}."
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
    yield (
        "In this folder, this command trains the run again, into a folder `again`. On the same "
        f"machine{_or_another(record)} the weights are the same to the last bit"
        + (f": SHA-256 `{record.weights_sha256}`." if record.weights_sha256 else ".")
    )
    yield code("nnrun train config.yaml --results again", "sh")
    yield "## Environment"
    yield grid_table(environment_table(record))


def _or_another(record: RunRecord) -> str:
    alike = record.engine == "compiled" and record.environment.get("architecture") == "x86_64"
    return " or another of this architecture with FMA" if alike else ""
