"""The events of a sweep."""

from __future__ import annotations

from nnrun.runs.record import RunRecord
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.sweeps.progress import SweepProgress
from nnrun.training.trainer import Progress


class SweepListener:
    """Receives the events of a sweep; subclasses override the ones they show."""

    def progressed(self, run: PlannedRun, progress: Progress) -> None:
        """A run in progress reports its iteration."""

    def ended(
        self, run: PlannedRun, record: RunRecord, progress: SweepProgress, *, trained: bool
    ) -> None:
        """A run is complete; `trained` is false if it was complete already."""

    def failed(self, run: PlannedRun, reason: str) -> None:
        """A run has failed."""

    def retried(self, run: PlannedRun, reason: str) -> None:
        """A run's worker was lost, and it is submitted again."""

    def released(self, run: PlannedRun) -> None:
        """A run is no longer in progress."""

    def waiting(self, runs: int) -> None:
        """All remaining runs are being trained by other sweeps."""

    def stopping(self, runs: int) -> None:
        """No more runs are started; this many runs in progress are asked to stop."""

    def tick(self, progress: SweepProgress) -> None:
        """Called now and then, to update displays."""

    def warn(self, text: str) -> None:
        """Something went wrong that does not end the sweep."""
