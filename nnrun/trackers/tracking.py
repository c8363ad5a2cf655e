"""What happens to runs, passed on to trackers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nnrun.errors import NnrunError
from nnrun.runs.events import Listener
from nnrun.runs.lease import Outcome
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.storage.contents.history import load_history
from nnrun.runs.storage.reading import read_run
from nnrun.trackers.content import EndedRun, TrackedRun, Tracker
from nnrun.trackers.feed import Feed

if TYPE_CHECKING:
    from nnrun.sweeps.planning.plan import PlannedRun
    from nnrun.training.state import HistoryRow


class Tracking(Listener):
    """Sends runs to trackers, if there are any; its context ends when all is sent.

    Each tracker has a thread, so that `evaluated`, `saved` and `failed` return at once.

    Args:
        feeds: one for each tracker.
    """

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = feeds
        self.follows = bool(feeds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for feed in self._feeds:
            feed.close()

    def evaluated(self, run: Prepared | PlannedRun, rows: Sequence[HistoryRow]) -> None:
        self._send(run, lambda tracker, tracked: tracker.rows(tracked, rows))

    def saved(self, run: Prepared | PlannedRun, outcome: Outcome) -> None:
        self._send(run, lambda tracker, tracked: tracker.end(tracked, _ended(outcome)))

    def failed(self, run: Prepared | PlannedRun, reason: str) -> None:
        self._send(run, lambda tracker, tracked: tracker.fail(tracked))

    def _send(
        self, run: Prepared | PlannedRun, task: Callable[[Tracker, TrackedRun], None]
    ) -> None:
        if self._feeds:
            tracked = _tracked(run)
            for feed in self._feeds:
                feed.send(tracked.label, lambda tracker: task(tracker, tracked))

    def board(self, files: Sequence[Path]) -> None:
        """Send the files of a leaderboard."""
        for feed in self._feeds:
            feed.send("", lambda tracker: tracker.board(files))


def _tracked(run: Prepared | PlannedRun) -> TrackedRun:
    """A run as trackers know it."""
    if isinstance(run, Prepared):
        return TrackedRun(run.config.name, run.run_id, run.config_dict, run.dataset.sha256)
    variant = run.variant
    return TrackedRun(
        variant.name,
        run.run_id,
        run.replicate.within(json.loads(variant.config)),
        variant.sha256,
        variant.choice.keys(),
    )


def _ended(outcome: Outcome) -> EndedRun:
    """The end of a run, read from its folder if it is not in memory.

    Raises:
        NnrunError: its folder is damaged.
    """
    if outcome.result is not None:
        return EndedRun(outcome.record, outcome.result.history, outcome.folder)
    if outcome.folder is None:
        return EndedRun(outcome.record, [], None)
    found = read_run(outcome.folder)
    if found is None or found.record is None:
        raise NnrunError(f"{outcome.folder}: {found.problem if found else 'there is no run'}")
    return EndedRun(found.record, load_history(outcome.folder), outcome.folder)
