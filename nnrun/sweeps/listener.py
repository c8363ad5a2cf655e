"""What a sweep tells while it goes on."""

from __future__ import annotations

from nnrun.runs.record import RunRecord
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.sweeps.progress import SweepProgress
from nnrun.training.trainer import Progress


class SweepListener:
    """Is told what happens in a sweep; this one looks away, others overrule what they show."""

    def progressed(self, run: PlannedRun, progress: Progress) -> None:
        """How far a run is."""

    def ended(
        self, run: PlannedRun, record: RunRecord, progress: SweepProgress, *, trained: bool
    ) -> None:
        """A run is complete; it was not `trained` now if it had been before."""

    def failed(self, run: PlannedRun, reason: str) -> None:
        """A run has failed."""

    def retried(self, run: PlannedRun, reason: str) -> None:
        """A run's worker was lost, and it is submitted again."""

    def released(self, run: PlannedRun) -> None:
        """A run is no longer in progress."""

    def waiting(self, runs: int) -> None:
        """All that is left is being trained by other sweeps."""

    def stopping(self, runs: int) -> None:
        """No more runs are begun; those in progress are asked to end."""

    def tick(self, progress: SweepProgress) -> None:
        """Time has passed."""

    def warn(self, text: str) -> None:
        """Something is not as it should be."""
