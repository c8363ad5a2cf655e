"""Published numbers beside the distribution of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nnrun.config.names import SPLITS
from nnrun.sweeps.board.comparison.statistics import Summary, summarize
from nnrun.sweeps.board.published.reference import LEVEL, Reference, holm, welch_p
from nnrun.sweeps.progress import SweepProgress


@dataclass(frozen=True)
class Replication:
    """One number of one config.

    Args:
        label: the config, with its choice where it has a grid.
        metric: `<split>_<metric>`.
        ours: over the seeds; None where no run has completed.
        published: the number from elsewhere; None where none is known.
        inside: whether that lies within our range.
        runs: that were planned.
        reference: the mean of repeated runs from elsewhere, where one was given.
        p: of the difference of our mean to that, adjusted for all rows of the table.
    """

    label: str
    metric: str
    ours: Summary | None
    published: float | None
    inside: bool | None
    runs: int
    reference: Reference | None = None
    p: float | None = None

    @property
    def differs(self) -> bool:
        """Whether our mean is not that of the reference, beyond chance in the whole table."""
        return self.p is not None and self.p < LEVEL


def replications(
    progress: SweepProgress, references: Mapping[tuple[str, str], Reference] | None = None
) -> list[Replication]:
    """All published numbers of a sweep, and the main metric of configs that have none.

    A config has both splits of its main metric in the table, whichever of them was published.
    Means are held against references by experiment and metric, where there are any.
    """
    rows = []
    for variant, scores in progress.by_variant():
        completed = [score for score in scores if score.status == "completed"]
        values: dict[str, list[float | None]] = {}
        for split in ("train", "test"):
            column = SPLITS.index(split)
            values[f"{split}_{variant.metric}"] = [score.metrics[column] for score in completed]
        for column, metric in enumerate(sorted(variant.published)):
            values[metric] = [score.published[column] for score in completed]
        for metric, numbers in values.items():
            ours = summarize([number for number in numbers if number is not None])
            if ours is None and metric not in variant.published and completed:
                continue
            published = variant.published.get(metric)
            inside = None
            if ours is not None and published is not None:
                inside = ours.minimum <= published <= ours.maximum
            rows.append(
                Replication(
                    variant.label,
                    metric,
                    ours,
                    published,
                    inside,
                    variant.planned,
                    (references or {}).get((variant.name, metric)),
                )
            )
    return _compared(rows)


def _compared(rows: list[Replication]) -> list[Replication]:
    """With the p-values of all that can be compared, adjusted for their number."""
    found = {
        number: p
        for number, row in enumerate(rows)
        if row.reference is not None
        and row.ours is not None
        and (p := welch_p(row.ours, row.reference)) is not None
    }
    adjusted = dict(zip(found, holm([*found.values()]), strict=True))
    return [replace(row, p=adjusted.get(number)) for number, row in enumerate(rows)]
