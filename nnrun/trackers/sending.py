"""The runs of a sweep, passed on to trackers."""

from __future__ import annotations

import json
from collections.abc import Sequence

from nnrun.runs.lease import Outcome
from nnrun.sweeps.listener import Listeners, SweepListener
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.trackers.content import TrackedRun
from nnrun.trackers.tracking import Tracking
from nnrun.training.state import HistoryRow


def with_trackers(listener: SweepListener, tracking: Tracking) -> SweepListener:
    """The listener of a sweep, which also sends its runs, if there are trackers."""
    return Listeners(listener, _Sending(tracking)) if tracking else listener


class _Sending(SweepListener):
    follows = True

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    def evaluated(self, run: PlannedRun, rows: Sequence[HistoryRow]) -> None:
        self._tracking.add(_planned(run), rows)

    def concluded(self, run: PlannedRun, outcome: Outcome) -> None:
        self._tracking.conclude(_planned(run), outcome)

    def failed(self, run: PlannedRun, reason: str) -> None:
        self._tracking.fail(_planned(run))


def _planned(run: PlannedRun) -> TrackedRun:
    variant = run.variant
    return TrackedRun(
        variant.name,
        run.run_id,
        run.replicate.within(json.loads(variant.config)),
        variant.sha256,
        variant.choice.keys(),
    )
