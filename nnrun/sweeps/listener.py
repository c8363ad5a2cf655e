"""The events of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nnrun.runs.lease import Outcome
from nnrun.runs.record import RunRecord
from nnrun.sweeps.planning.plan import PlannedRun
from nnrun.sweeps.progress import SweepProgress
from nnrun.training.state import HistoryRow
from nnrun.training.trainer import Progress


class SweepListener:
    """Receives the events of a sweep; subclasses override the ones they show.

    `follows` is whether `evaluated` is called.
    """

    follows = False

    def progressed(self, run: PlannedRun, progress: Progress) -> None:
        """A run in progress reports its iteration."""

    def evaluated(self, run: PlannedRun, rows: Sequence[HistoryRow]) -> None:
        """A run in progress has made evaluations, those since the last call; its last ones may be
        in its result alone.
        """

    def concluded(self, run: PlannedRun, outcome: Outcome) -> None:
        """A run is saved, or was complete before; it may have been interrupted."""

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


class Listeners(SweepListener):
    """Several listeners, called in their order."""

    def __init__(self, *listeners: SweepListener) -> None:
        self.all = listeners
        self.follows = any(listener.follows for listener in listeners)


def _to_all(event: str) -> Callable[..., None]:
    def pass_on(self: Listeners, *args: Any, **named: Any) -> None:
        for each in self.all:
            getattr(each, event)(*args, **named)

    return pass_on


for _event, _function in vars(SweepListener).items():
    if callable(_function):
        setattr(Listeners, _event, _to_all(_event))
