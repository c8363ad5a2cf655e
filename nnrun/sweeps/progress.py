"""What a sweep keeps in memory of each run: its scores, and why it failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from nnrun.runs.catalog.summarize import score_of
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import RunRecord
from nnrun.sweeps.planning.plan import Comparable, Place, Plan, PlannedRun, Variant

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
