"""What happens to runs, passed on to trackers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nnrun.errors import NnrunError
from nnrun.runs.lease import Outcome
from nnrun.runs.storage.contents.history import load_history
from nnrun.runs.storage.reading import read_run
from nnrun.trackers.content import EndedRun, TrackedRun
from nnrun.trackers.feed import Feed

if TYPE_CHECKING:
    from nnrun.runs.preparation.prepared import Prepared
    from nnrun.training.state import HistoryRow
    from nnrun.training.trainer import Progress


class Tracking:
    """Sends runs to trackers, if there are any; its context ends when all is sent.

    Args:
        feeds: one for each tracker.
    """

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = feeds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for feed in self._feeds:
            feed.close()

    def __bool__(self) -> bool:
        return bool(self._feeds)

    def observing(
        self, prepared: Prepared, observe: Callable[[Progress], None]
    ) -> Callable[[Progress], None]:
        """The observer of a run, which sends its evaluations, too."""
        if not self._feeds:
            return observe
        run, sent = tracked(prepared), 0

        def both(progress: Progress) -> None:
            nonlocal sent
            observe(progress)
            rows = progress.since(sent)
            if rows:
                sent += len(rows)
                self.add(run, rows)

        return both

    def add(self, run: TrackedRun, rows: Sequence[HistoryRow]) -> None:
        """Send evaluations of a run in progress."""
        for feed in self._feeds:
            feed.send(run.label, lambda tracker: tracker.rows(run, rows))

    def conclude(self, run: TrackedRun, outcome: Outcome) -> None:
        """Send the end of a run, be it of this process or of one before."""
        for feed in self._feeds:
            feed.send(run.label, lambda tracker: tracker.end(run, _ended(outcome)))

    def fail(self, run: TrackedRun) -> None:
        """Send that a run could not be trained, or saved."""
        for feed in self._feeds:
            feed.send(run.label, lambda tracker: tracker.fail(run))

    def board(self, files: Sequence[Path]) -> None:
        """Send the files of a leaderboard."""
        for feed in self._feeds:
            feed.send("", lambda tracker: tracker.board(files))


def tracked(prepared: Prepared) -> TrackedRun:
    """A run that is about to be trained, as trackers know it."""
    return TrackedRun(
        prepared.config.name, prepared.run_id, prepared.config_dict, prepared.dataset.sha256
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
