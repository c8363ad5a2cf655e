"""What a leaderboard takes of each stored run; a hundred thousand of them fit in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from sys import intern
from typing import NamedTuple, Self

from nnrun.errors import UsageError
from nnrun.metrics.table import find, larger_is_better
from nnrun.runs.catalog.board_part import DAMAGE, BoardPart, are_sound
from nnrun.runs.catalog.index import Content
from nnrun.runs.catalog.index_file import JsonMapping
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import RunRecord
from nnrun.runs.replicate import Replicate
from nnrun.sweeps.progress import RunScore


class RunEntry(NamedTuple):
    """A stored run: its main metric with the direction, and its numbers.

    `settings` decide its numbers; runs that differ only in seeds and fold have the same.
    """

    name: str
    settings: JsonMapping
    started: str
    metric: str
    larger_is_better: bool
    score: RunScore

    @property
    def key(self) -> str:
        """`name/run id`."""
        return f"{self.name}/{self.score.run_id}"

    @classmethod
    def of(cls, record: RunRecord, summary: RunSummary | None = None) -> Self:
        """The entry of a record; one without its config needs the summary of its run.

        Raises: KeyError, TypeError, ValueError, AttributeError if it does not hold what it should.
        """
        metric, replicate = intern(record.main_metric), None
        if summary is None or not isinstance(summary.settings, JsonMapping):
            settings = settings_of(record)
        else:
            settings = summary.settings
            replicate = Replicate(record.seed, summary.split_seed, summary.fold)
        score = RunScore.of(record, replicate)
        return cls(record.name, settings, record.started, metric, larger_is_better(metric), score)

    @classmethod
    def listed(cls, run: RunSummary, part: BoardPart) -> Self:
        """The entry of a line of the index."""
        assert isinstance(run.settings, JsonMapping), "lines have such settings"
        metrics, seconds = (run.train, run.validation, run.test), run.seconds or 0.0
        score = RunScore(
            run.seed or 0, run.status, metrics, seconds, part, run.run_id, run.split_seed, run.fold
        )
        return cls(
            run.name,
            run.settings,
            run.started or "",
            run.metric or "",
            run.larger_is_better,
            score,
        )


def by_metric(record: RunRecord, metric: str | None) -> RunRecord:
    """The record with this as its main metric, where it has it; as it is for None."""
    if metric is None or not record.has_metric(metric):
        return record
    return replace(record, main_metric=metric)


def ordered_by(runs: Iterable[RunEntry], metric: str | None) -> list[RunEntry]:
    """These runs, made by this metric.

    Raises: UsageError if none of them has it.
    """
    found = list(runs)
    if metric is not None and all(run.metric != metric for run in found):
        advice = "add it to `metrics` of the config and train again"
        wanted, tasks = find(metric), {m.task for run in found if (m := find(run.metric))}
        if wanted and tasks and wanted.task not in tasks:
            advice = f"it is for {wanted.task}, and they are {tasks.pop()}"
        raise UsageError(f"--order-by {metric}: no run here has it; {advice}")
    return found


def entry_of(summary: RunSummary, content: Content, order_by: str | None = None) -> RunEntry | None:
    """The entry of a run; None where its report does not hold what leaderboards and lists need.

    By another metric than the main one, that needs the record as content.
    """
    if content is None:
        return None
    if isinstance(content, BoardPart):
        return RunEntry.listed(summary, content)
    record = content
    try:
        entry = RunEntry.of(by_metric(record, order_by), summary)
    except DAMAGE:
        return None
    score = entry.score
    sound = are_sound(*score.metrics, *score.part.baseline, score.seconds)
    return entry if sound and isinstance(record.status, str) else None
