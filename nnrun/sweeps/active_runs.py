"""Runs in progress, what a sweep keeps of each, and how they end."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from nnrun.config.load import resolved_config
from nnrun.errors import NnrunError
from nnrun.pool import serialize_error
from nnrun.runs.catalog.summarize import score_of
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.events import Listener
from nnrun.runs.execution.result import record_of
from nnrun.runs.lease import Outcome, RunLease
from nnrun.runs.preparation.commit import commit_of
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import Replicate, RunRecord, RunResult
from nnrun.runs.storage.store import Store
from nnrun.sweeps.planning.plan import Comparable, Place, Plan, PlannedRun, RunSource, Variant
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.workers.job import Job
from nnrun.training.state import TrainingState

# What a sweep keeps in memory of each run: its scores, and why it failed.

Member = tuple[Comparable, list[RunSummary]]
"""A config with the scores of its runs."""


@dataclass(frozen=True)
class Failure:
    """A run that diverged, or could not be trained or saved, and why."""

    key: str
    label: str
    reason: str


@dataclass
class SweepProgress:
    """The progress of a plan.

    Args:
        plan: of the sweep.
        scores: of the runs that have ended, by the number of their variant.
        trained: the number of runs that this sweep has completed.
        found: the number of runs that were complete already, or completed by another sweep.
        interrupted: the number of runs saved before their end.
        failed: the number of runs that could not be trained or saved.
        stopped: the number of runs that a callback stopped, now or before.
        reached: the number of runs that were looked at; others may be complete.
    """

    plan: Plan
    scores: dict[int, list[RunSummary]] = field(default_factory=dict)
    trained: int = 0
    found: int = 0
    interrupted: int = 0
    failed: int = 0
    stopped: int = 0
    reached: int = 0
    _failures: dict[Place, Failure] = field(default_factory=dict)

    @property
    def failures(self) -> list[Failure]:
        """Diverged and failed runs by variant and seed, since their order in time is random."""
        return [
            self._failures[place]
            for place in sorted(self._failures, key=lambda place: (place[0], place[1].order))
        ]

    @property
    def ended(self) -> int:
        """The number of runs that are complete or failed."""
        return self.trained + self.found + self.failed

    @property
    def diverged(self) -> int:
        """The number of runs that diverged."""
        return len(self._failures) - self.failed

    @property
    def missing(self) -> int:
        """The number of runs that have not ended."""
        return len(self.plan) - self.ended

    def of_whole_sweep(self) -> SweepProgress:
        """A copy for the sweep that the plan is a shard of."""
        scores = {number: [*found] for number, found in self.scores.items()}
        failures = {**self._failures}
        return replace(self, plan=self.plan.whole, scores=scores, _failures=failures)

    def ended_places(self) -> set[Place]:
        """The runs that are complete or failed."""
        return self._complete() | self._failures.keys()

    def failed_runs(self) -> Counter[int]:
        """How many runs of each variant could not be trained or saved, by its number."""
        return Counter(number for number, _ in self._failures.keys() - self._complete())

    def _complete(self) -> set[Place]:
        return {(number, s.replicate) for number, found in self.scores.items() for s in found}

    def add(self, run: PlannedRun, record: RunRecord, *, trained: bool) -> None:
        """Count a complete run."""
        self.scores.setdefault(run.variant.number, []).append(score_of(record, run.replicate))
        self.stopped += record.status == "stopped"
        if trained:
            self.trained += 1
        else:
            self.found += 1

    def fail(self, run: PlannedRun, reason: str) -> None:
        """Count a run that cannot be completed."""
        self.failed += 1
        self.note_failure(run, reason)

    def note_failure(self, run: PlannedRun, reason: str) -> None:
        """Record why a run failed or diverged, without counting it."""
        self._failures[run.place] = Failure(run.key, run.label, reason)

    def by_variant(self) -> Iterator[tuple[Variant, list[RunSummary]]]:
        """Each variant of the plan, in its order, with its scores by seed."""
        for variant in self.plan.variants:
            scores = self.scores.get(variant.number, [])
            yield variant, sorted(scores, key=lambda score: score.replicate.order)


# Runs in progress, and their ends: saved results, failures, and leases that are given back.

# No result can be written, whichever run it is of.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True)
class ActiveRun:
    """A run in progress: leased, and submitted to a worker."""

    run: PlannedRun
    lease: RunLease
    attempt: int = 1
    alone: bool = False

    def about(self) -> tuple[Replicate, Mapping[str, Any], str]:
        """The run, as what it says of its progress names it."""
        variant = self.run.variant
        return self.run.replicate, json.loads(variant.config), variant.sha256

    def job(self, note: Callable[[str], None], threads: int) -> Job:
        """The job for a worker, with the last checkpoint of the run."""
        run, variant = self.run, self.run.variant
        checkpoint = self.lease.checkpoint(lambda text: note(f"{run.label}: {text}"))
        return Job(
            run.key,
            variant.config,
            run.replicate,
            run.run_id,
            variant.data,
            checkpoint,
            threads,
            variant.estimate.seconds,
            run.until,
            variant.plugins,
        )

    def has_paused(self, record: RunRecord) -> bool:
        """Whether the run has reached the iteration where it pauses."""
        until = self.run.until
        return until is not None and int(record.timing["iterations"]) >= until

    def saved(self, checkpoint: TrainingState, note: Callable[[str], None]) -> bool:
        """Save a checkpoint; whether it is on the disk."""
        return self.lease.save_checkpoint(
            checkpoint, lambda text: note(f"{self.run.label}: {text}")
        )


V = TypeVar("V")


@dataclass(frozen=True)
class SavedRun:
    """A run whose result is being saved; `asked` says whether it was asked to stop."""

    active: ActiveRun
    outcome: Future[Outcome]
    asked: bool


class RunEnds:
    """How the runs of a sweep end.

    Runs count in `progress`; without a store only their scores are kept. The source may ask for
    other runs when one ends.
    """

    def __init__(
        self,
        progress: SweepProgress,
        store: Store | None,
        datasets: Datasets,
        listener: Listener,
        source: RunSource,
    ) -> None:
        self.progress = progress
        self.store = store
        self.datasets = datasets
        self.listener = listener
        self.source = source
        self.active: dict[str, ActiveRun] = {}
        self.any_failed = False  # of those that this sweep has trained
        self.no_room = ""  # why no more results can be written
        self._commits: dict[str, str | None] = {}
        self.saving: deque[SavedRun] = deque()

    def save(self, active: ActiveRun, result: RunResult, *, asked: bool) -> None:
        """Begin to save a result; its run counts once it is on the disk (see `settle`).

        `asked` is whether the run was asked to stop.
        """
        lease, result = active.lease, self._named(active.run, result)
        outcome = self._stored(active, lambda: lease.begin_to_conclude(result, self.listener.warn))
        if outcome is not None:
            self.saving.append(SavedRun(active, outcome, asked))

    def settle(self, most: int) -> Iterator[ActiveRun]:
        """Handle saved results, and wait until at most `most` are left to save.

        Yields:
            runs that were interrupted without being asked; they are still active.
        """
        if self.store is not None and len(self.saving) > most:
            self.store.hurry()
        while self.saving and (len(self.saving) > most or self.saving[0].outcome.done()):
            saved = self.saving.popleft()
            outcome = self._stored(saved.active, saved.outcome.result)
            if outcome is None:
                continue
            self.listener.saved(saved.active.run, outcome)
            if outcome.record.status != "interrupted":
                self.count(saved.active.run, outcome.record, trained=True)
            elif saved.active.has_paused(outcome.record):
                self.source.ended(saved.active.run, outcome.record)
            elif saved.asked:
                self.progress.interrupted += outcome.saved
            else:
                yield saved.active
                continue
            self.release(saved.active)

    def count(self, run: PlannedRun, record: RunRecord, *, trained: bool) -> None:
        """Count a run that has ended."""
        self.progress.add(run, record, trained=trained)
        self.source.ended(run, record)
        self.listener.ended(run, record, self.progress, trained=trained)
        if record.status not in ("completed", "stopped"):
            reason = record.error or record.status
            self.any_failed |= trained
            self.progress.note_failure(run, reason)
            self.listener.failed(run, reason)

    def abandon(self, active: ActiveRun, reason: str, traceback: str = "") -> None:
        """Fail a run that cannot be trained, and save a report with the reason."""
        self._report_failure(active, reason, traceback)
        self.fail(active.run, reason)
        self.release(active)

    def fail(self, run: PlannedRun, reason: str) -> None:
        """Count a run that failed without a report."""
        self.any_failed = True
        self.progress.fail(run, reason)
        self.source.failed(run, reason)
        self.listener.failed(run, reason)

    def fail_to_write(self, run: PlannedRun, what: str, error: OSError) -> None:
        """Count a run that failed since something of it could not be written."""
        reason = error.strerror or str(error)
        if error.errno in _NO_ROOM or (isinstance(error, PermissionError) and self._is_closed(run)):
            self.no_room = reason
        self.fail(run, f"{what}: {reason}")

    def _is_closed(self, run: PlannedRun) -> bool:
        """Whether nothing may be written where the runs of this experiment are kept."""
        if self.store is None:
            return False
        place = self.store.root.absolute() / run.variant.name
        there = next(folder for folder in (place, *place.parents) if folder.is_dir())
        return not os.access(there, os.W_OK)

    def release(self, active: ActiveRun) -> None:
        """Give a run back: it is active no longer."""
        self.active.pop(active.run.key, None)
        self.listener.released(active.run)
        active.lease.release()

    def _stored(self, active: ActiveRun, step: Callable[[], V]) -> V | None:
        """The value of a step of saving a result; None if it fails, which fails the run."""
        try:
            return step()
        except OSError as error:
            self.fail_to_write(active.run, "cannot be saved", error)
            self.release(active)
        except Exception as error:  # its result is invalid
            self.abandon(active, *serialize_error(error))
        return None

    def _report_failure(self, active: ActiveRun, reason: str, traceback: str) -> None:
        run = active.run

        def failed(checkpoint: TrainingState | None) -> RunResult:
            record = record_of(self._prepared(run), "failed", reason)
            result = RunResult(record, checkpoint=checkpoint, traceback=traceback or None)
            return self._named(run, result)

        try:
            active.lease.fail(failed)
        except Exception as error:  # the failure itself is reported in any case
            self.listener.warn(f"{run.label}: no report of its failure: {error}")

    def _named(self, run: PlannedRun, result: RunResult) -> RunResult:
        """The result with the search that its run belongs to, and the commit of its config."""
        search, file = self.source.search, run.variant.file
        if file not in self._commits:  # once in a sweep
            self._commits[file] = None if self.store is None else commit_of(Path(file))
        commit = self._commits[file]
        return replace(result, record=replace(result.record, search=search, commit=commit))

    def _prepared(self, run: PlannedRun) -> Prepared:
        variant = run.variant
        config = run.replicate.applied(resolved_config(variant.config, variant.plugins.sources))
        return prepare_again(config, self.datasets.load(config.dataset))


def checked(result: RunResult | None, run: PlannedRun) -> RunResult | None:
    """The result, which must be of this run: workers are not trusted."""
    if result is None:
        return None
    record = result.record
    if (record.name, record.run_id) != (run.variant.name, run.run_id):
        raise NnrunError(f"its worker returned another run, {record.name}/{record.run_id}")
    return result
