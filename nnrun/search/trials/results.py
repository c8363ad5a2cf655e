"""The values of runs by which trials are compared."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.errors import NnrunError
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.history import load_history
from nnrun.runs.storage.store import Store
from nnrun.sweeps.planning.plan import PlannedRun


def is_beyond(run: PlannedRun, record: RunRecord) -> bool:
    """Whether a stored run has trained longer than to the rung that is asked for."""
    return run.until is not None and int(record.timing["iterations"]) > run.until


@dataclass(frozen=True)
class Results:
    """Reads values of runs.

    Args:
        store: where the runs are.
        split: whose rows judge trials.
    """

    store: Store
    split: str

    def value(self, run: PlannedRun, record: RunRecord) -> float | None:
        """The metric of a run at its end, or at the rung where it has paused; None if undefined."""
        metric = run.variant.metric
        if record.status == "interrupted" or is_beyond(run, record):
            return self._at(run, f"{self.split}_{metric}")
        return (record.metrics.get(self.split) or {}).get(metric)

    def reached(self, run: PlannedRun) -> RunRecord | None:
        """The record of a stored run that has reached its rung, or its end before that."""
        record = self.stored(run)
        if record is None or record.status != "interrupted":
            return record
        there = run.until is not None and int(record.timing["iterations"]) >= run.until
        return record if there else None

    def stored(self, run: PlannedRun) -> RunRecord | None:
        """The record of a run that has ended, or been interrupted."""
        stored = self.store.run(run.variant.name, run.run_id).read()
        if stored is None or stored.problem is not None:
            return None
        is_kept = stored.complete or (stored.record and stored.record.status == "interrupted")
        return stored.record if is_kept else None

    def _at(self, run: PlannedRun, column: str) -> float | None:
        """A number of the learning curve at the rung."""
        for row in load_history(self.store.folder(run.variant.name, run.run_id)):
            if row["iteration"] == run.until:
                return float(row[column])
        raise NnrunError(f"{run.key}: its learning curve has no row for iteration {run.until}")
