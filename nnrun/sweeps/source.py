"""Where a sweep gets its runs from, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.runs.record import RunRecord
from nnrun.sweeps.planning.plan import Plan, PlannedRun


class RunSource:
    """The runs of a sweep; which one comes next may depend on the results of others."""

    def next(self, at_a_time: int) -> PlannedRun | None:
        """The next run; None if results have to come first, or none is left.

        Args:
            at_a_time: how many runs the workers train at the same time.
        """
        raise NotImplementedError

    def ended(self, run: PlannedRun, record: RunRecord) -> None:
        """A run has ended, or has paused where it was asked to; its result is on the disk."""

    def failed(self, run: PlannedRun, reason: str) -> None:
        """A run could not be trained or saved."""


class PlannedRuns(RunSource):
    """The runs of a plan, regardless of their results."""

    def __init__(self, plan: Plan) -> None:
        self._runs: Iterator[PlannedRun] = plan.runs()

    def next(self, at_a_time: int) -> PlannedRun | None:
        return next(self._runs, None)
