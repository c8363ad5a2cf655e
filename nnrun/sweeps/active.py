"""A run in progress, as the sweep sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nnrun.errors import UsageError
from nnrun.runs.lease import RunLease
from nnrun.runs.record import RunRecord
from nnrun.runs.replicate import Replicate
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.sweeps.workers.job import Job
from nnrun.training.state import TrainingState


@dataclass(frozen=True)
class ActiveRun:
    """A run in progress: leased, and submitted to a worker."""

    run: PlannedRun
    lease: RunLease
    attempt: int = 1

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
        try:
            self.lease.save_checkpoint(checkpoint)
        except (OSError, UsageError) as error:
            reason = getattr(error, "strerror", None) or error
            note(f"{self.run.label}: no checkpoint: {reason}")
            return False
        return True
