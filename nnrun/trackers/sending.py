"""The runs of a sweep, passed on to trackers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from nnrun.runs.lease import Outcome
from nnrun.sweeps.listener import Listeners, SweepListener
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.trackers.content import TrackedRun
from nnrun.training.state import HistoryRow

Add = Callable[[TrackedRun, Sequence[HistoryRow]], None]
Conclude = Callable[[TrackedRun, Outcome], None]
Fail = Callable[[TrackedRun], None]


def sending(listener: SweepListener, add: Add, conclude: Conclude, fail: Fail) -> SweepListener:
    """The listener, which also calls these functions with the runs of a sweep."""
    return Listeners(listener, _Sending(add, conclude, fail))


class _Sending(SweepListener):
    follows = True

    def __init__(self, add: Add, conclude: Conclude, fail: Fail) -> None:
        self._add = add
        self._conclude = conclude
        self._fail = fail

    def evaluated(self, run: PlannedRun, rows: Sequence[HistoryRow]) -> None:
        self._add(_planned(run), rows)

    def concluded(self, run: PlannedRun, outcome: Outcome) -> None:
        self._conclude(_planned(run), outcome)

    def failed(self, run: PlannedRun, reason: str) -> None:
        self._fail(_planned(run))


def _planned(run: PlannedRun) -> TrackedRun:
    variant = run.variant
    return TrackedRun(
        variant.name,
        run.run_id,
        run.replicate.within(json.loads(variant.config)),
        variant.sha256,
        variant.choice.keys(),
    )
