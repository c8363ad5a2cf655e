"""report.md: everything about a run, for people."""

from __future__ import annotations

from nnrun.reports.markup import document_markdown
from nnrun.reports.run import run_document, run_parts
from nnrun.runs.record import RunResult


def report_markdown(result: RunResult) -> str:
    """The report of a run as Markdown."""
    rows = result.history
    columns = {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
    parts = run_parts(
        result.record, columns, watched=lambda: result.watched, config_yaml=result.config_yaml
    )
    return document_markdown(run_document(result.record, parts))
