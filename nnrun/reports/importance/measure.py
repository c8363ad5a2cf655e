"""The importance of columns or pixels for a stored run, and for its other seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.errors import NnrunError
from nnrun.metrics.table import LOSS
from nnrun.models.load import load_model as load
from nnrun.models.model import Model
from nnrun.nn.signature import Array
from nnrun.reports.examine import LoadData, last_split, prepared_again
from nnrun.reports.importance.columns import (
    Dependence,
    PixelMap,
    can_be_set,
    partial_dependence,
    permutation_importance,
    pixel_maps,
    places_of,
)
from nnrun.runs.catalog.summarize import settings_of, summary_of
from nnrun.runs.record import Replicate, RunRecord
from nnrun.runs.storage.reading import read_run, refuse_unusable_model
from nnrun.runs.storage.sweep_progress import ids_in
from nnrun.sweeps.board.comparison import summarize
from nnrun.sweeps.board.stored import stored_variants
from nnrun.sweeps.board.verdicts import design_of

REPEATS = 10
_MOST_DEPENDENCES = 4


@dataclass(frozen=True)
class ColumnImportance:
    """What the metric loses without the information of one column.

    The 95% interval of the mean is from `low` to `high`, None for a single value. There is a value
    for each seed, the mean over repeats; of a single seed one for each repeat.
    """

    column: str
    mean: float
    low: float | None
    high: float | None
    values: list[float]

    @property
    def counts(self) -> bool:
        """Whether it can be told from 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, eq=False)
class Importance:
    """The importance of the columns of a table for a run, the largest first; or maps of pixels.

    Args:
        split: whose rows, this many, are predicted.
        metric: that the run is shown by; of errors the importance is what they gain.
        repeats: how often each column is shuffled.
        seeds: of the runs of its setting; without others, that of the run.
        columns: with their importance; empty for images.
        dependence: the partial dependence on the first columns, of this run.
    """

    name: str
    run_id: str
    split: str
    rows: int
    metric: str
    repeats: int
    seeds: list[int]
    columns: list[ColumnImportance]
    dependence: list[Dependence]
    pixels: list[PixelMap]

    @property
    def several(self) -> bool:
        """Whether intervals are over runs, not over repeats."""
        return len(self.seeds) > 1

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        columns = [{**asdict(column), "counts": column.counts} for column in self.columns]
        pixels = [
            {
                "name": one.name,
                "rows": one.rows,
                "gradient": one.gradient.tolist(),
                "occlusion": one.occlusion.tolist(),
            }
            for one in self.pixels
        ]
        found = {**vars(self), "columns": columns, "pixels": pixels}
        return {**found, "dependence": [asdict(one) for one in self.dependence]}


def importance_of(
    folder: Path, record: RunRecord, load_data: LoadData, repeats: int = REPEATS
) -> Importance:
    """The importance for a stored run; shuffles are drawn from the seeds of the runs.

    Raises:
        UsageError: no model is kept of it.
        NnrunError: its data are missing or have changed, or its predictions are not finite.
    """
    refuse_unusable_model(folder, record)
    model = load(folder)
    split, part = last_split(prepared_again(record, load_data).split)
    found: list[ColumnImportance] = []
    records = [record]
    dependence: list[Dependence] = []
    pixels: list[PixelMap] = []
    with np.errstate(all="ignore"):
        if len(model.layout.shape) > 1:
            pixels = pixel_maps(model, part)
        else:
            records = [record, *_siblings(folder, record)]
            records.sort(key=lambda one: Replicate.of(one.config, one.seed).order)
            tables = [
                _table(folder.parent / one.run_id, one, load_data, repeats) for one in records
            ]
            found = _summed(records, tables, [*places_of(model)], split)
            varied = [one.column for one in found if can_be_set(model, one.column)]
            first = varied[:_MOST_DEPENDENCES]
            dependence = [partial_dependence(model, part, column) for column in first]
    return Importance(
        record.name, record.run_id, split, len(part), _metric_of(record, model), repeats,
        [one.seed for one in records], found, dependence, pixels,
    )  # fmt: skip


def _siblings(folder: Path, record: RunRecord) -> Iterator[RunRecord]:
    """The other completed runs of the same setting."""
    own, parent = settings_of(record), folder.absolute().parent
    for run_id in ids_in(parent.parent, parent.name) if record.status == "completed" else ():
        run = read_run(parent / run_id, placed=True) if run_id != folder.name else None
        other = None if run is None or run.problem else run.record
        if other is not None and other.status == "completed" and settings_of(other) == own:
            yield other


def _metric_of(record: RunRecord, model: Model) -> str:
    """The metric that the run is shown by; that of its task where it is shown by the loss."""
    return model.task.main_metric if record.main_metric == LOSS else record.main_metric


def _table(folder: Path, record: RunRecord, load_data: LoadData, repeats: int) -> Array:
    refuse_unusable_model(folder, record)
    model: Model = load(folder)
    split, part = last_split(prepared_again(record, load_data).split)
    metric = _metric_of(record, model)
    found = permutation_importance(model, part, metric, repeats, record.seed)
    if not np.isfinite(found).all():
        reasons = (record.metrics[split] or {}).get("undefined", {})
        why = f": {reasons[metric]}" if metric in reasons else ""
        of = f"{record.name}/{record.run_id}: {metric} of its predictions"
        raise NnrunError(f"{of} is undefined{why}")
    return found


def _summed(
    records: Sequence[RunRecord], tables: Sequence[Array], columns: Sequence[str], split: str
) -> list[ColumnImportance]:
    (variant,) = stored_variants(map(summary_of, records))
    replicates = [
        Replicate.of(one.config, one.seed).resolved(drawn=variant.drawn) for one in records
    ]
    several = len(records) > 1
    overlap = variant.overlap.get(split, 0.0) if several else 0.0
    design = design_of(replicates) if several else None
    found = []
    for index, column in enumerate(columns):
        values = (
            [float(table[index].mean()) for table in tables] if several else [*tables[0][index]]
        )
        summary = summarize(values, overlap, design=design)
        assert summary is not None
        ends = summary.mean, summary.ci_low, summary.ci_high
        found.append(ColumnImportance(column, *ends, [float(value) for value in values]))
    return sorted(found, key=lambda one: -one.mean)
