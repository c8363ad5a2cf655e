"""Metrics of each class, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnrun.reports.markup import escape, grid_table, table
from nnrun.reports.numbers import count
from nnrun.reports.run_tables import classes_table
from nnrun.reports.summary import splits
from nnrun.runs.record import RunRecord

# A larger matrix does not fit a page; report.json has it.
_MOST_CLASSES = 20


def class_sections(record: RunRecord) -> Iterator[str]:
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
