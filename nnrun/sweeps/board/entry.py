"""What a leaderboard takes of each stored run; a hundred thousand of them fit in memory."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern
from typing import NamedTuple, Self

from nnrun.models.task import Classification, Regression
from nnrun.runs.catalog.index_file import Settings
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.replicate import Replicate
from nnrun.sweeps.progress import RunScore

# Errors that the values of a damaged report can raise.
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)


class RunEntry(NamedTuple):
    """A stored run.

    Args:
        name: of its experiment.
        settings: that decide its numbers; runs that differ only in seeds and fold have the same.
        started: when it began.
        dataset: the name of its data.
        sha256: the digest of its data.
        metric: the main one.
        larger_is_better: the direction of that.
        parameters: of its network.
        published: numbers from elsewhere, by `<split>_<metric>`.
        score: its numbers.
    """

    name: str
    settings: Settings
    started: str
    dataset: str
    sha256: str
    metric: str
    larger_is_better: bool
    parameters: int
    published: Mapping[str, float]
    score: RunScore

    @property
    def key(self) -> str:
        """`name/run id`."""
        return f"{self.name}/{self.score.run_id}"

    @classmethod
    def of(cls, record: RunRecord, summary: RunSummary | None = None) -> Self:
        """The entry of a record; one without its config needs the summary of its run.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it does not hold what it should.
        """
        if summary is None or not isinstance(summary.settings, Settings):
            settings, replicate = settings_of(record), Replicate.of(record.config, record.seed)
        else:
            settings = summary.settings
            replicate = Replicate(record.seed, summary.split_seed, summary.fold)
        published = record.config.get("published") or {}
        task = Classification if record.task == "classification" else Regression
        return cls(
            name=record.name,
            settings=settings,
            started=record.started,
            dataset=intern(record.dataset["name"]),
            sha256=intern(record.dataset["sha256"]),
            metric=intern(record.main_metric),
            larger_is_better=task.larger_is_better,
            parameters=int(record.network["parameters"]),
            published={key: value for key, value in published.items() if key != "source"},
            score=RunScore.of(record, replicate),
        )


def entry_of(summary: RunSummary, record: RunRecord | None) -> RunEntry | None:
    """The entry of a run; None where its report does not hold what leaderboards and lists need."""
    if record is None:
        return None
    try:
        entry = RunEntry.of(record, summary)
    except _DAMAGE:
        return None
    numbers = (*entry.score.metrics, *entry.score.baseline, entry.score.seconds)
    sound = all(isinstance(value, int | float) or value is None for value in numbers)
    return entry if sound and isinstance(record.status, str) else None
