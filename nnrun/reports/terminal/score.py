"""How good the predictions for a file are, as a table."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType

from nnrun.reports.numbers import metric_number
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.tables import plain_table


def score_table(metrics: dict[str, Any]) -> RenderableType:
    """A row for each number that is one for all rows."""
    table = plain_table("", "score")
    for name, value in metrics.items():
        if value is None or isinstance(value, float):
            table.add_row(metric_label(name), metric_number(name, value))
    return table
