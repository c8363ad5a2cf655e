"""`nnrun predict --score`: the metrics of a run's report for the rows of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnrun.characters import clean
from nnrun.cli.models import Selected
from nnrun.cli.output import Output
from nnrun.data.columns.kinds import Written
from nnrun.data.inference.columns import Rows, WeightColumn
from nnrun.models import measured
from nnrun.reports.run import scores_table
from nnrun.reports.summary import metric_label, second_class_note
from nnrun.reports.terminal.blocks import table_of


def scorer(selected: Selected) -> measured.Measured:
    """The metrics of the run's report, without the loss, for rows that are added."""
    record = selected.record
    names = [] if record is None else record.config.get("metrics") or []
    return measured.Measured(selected.model.task, names, measured.KEPT_BYTES)


def weight_column(selected: Selected) -> WeightColumn | None:
    """The column with the weights of rows that the run's metrics count by."""
    record = selected.record
    if record is None or "weights" not in record.dataset:
        return None
    columns = record.config["dataset"]["columns"]
    written = Written(selected.model.layout.columns.decimal, columns.get("formats") or {})
    return WeightColumn(columns["weight"], written.numbers(columns["weight"]))


def note_weights(output: Output, weight: WeightColumn | None, rows: Rows) -> None:
    """Say that the score is without weights where the run's own metrics have some."""
    if weight is not None and not rows.weighted:
        output.note(
            "the score counts every row once; the run's own metrics are by weights, and there is "
            f"no column '{clean(weight.name)}'"
        )


def show_score(
    output: Output, metrics: dict[str, Any], classes: Sequence[Any], *, to_stderr: bool
) -> None:
    """Print a table of the metrics, those of one class alone, and why some are undefined."""
    output.show(table_of(scores_table(metrics)), to_stderr=to_stderr)
    output.notes(map(clean, second_class_note(metrics, classes)))
    for name, reason in (metrics.get("undefined") or {}).items():
        output.note(f"{metric_label(name)} is undefined: {reason}")
