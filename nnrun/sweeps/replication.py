"""Published numbers beside the distribution of ours."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.config.names import SPLITS
from nnrun.sweeps.progress import SweepProgress
from nnrun.sweeps.statistics import Summary, summarize


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
    """

    label: str
    metric: str
    ours: Summary | None
    published: float | None
    inside: bool | None
    runs: int


def replications(progress: SweepProgress) -> list[Replication]:
    """All published numbers of a sweep, and the main metric of configs that have none.

    A config has both splits of its main metric in the table, whichever of them was published.
    """
    rows = []
    for variant, scores in zip(progress.plan.variants, progress.by_variant(), strict=True):
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
                Replication(variant.label, metric, ours, published, inside, len(variant.seeds))
            )
    return rows
