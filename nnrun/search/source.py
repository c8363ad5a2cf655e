"""The runs of a search, for the loop of a sweep: those of trials, and those of the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median

from nnrun.errors import NnrunError
from nnrun.metrics.table import LOSS
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import HISTORY, load_history, refuse_changed
from nnrun.runs.storage.store import Store
from nnrun.search.track import Track
from nnrun.search.trials import Pace, Trial, is_beyond
from nnrun.sweeps.planning.plan import PlannedRun, RunSource, Variant


@dataclass(frozen=True)
class Results:
    """Reads values of runs; `split` is the one whose rows judge trials."""

    store: Store
    split: str

    def value(self, run: PlannedRun, record: RunRecord) -> float | None:
        """The metric of a run at its end, or at the rung where it has paused; None if undefined."""
        metric = run.variant.metric
        if record.status == "interrupted" or is_beyond(run, record):
            # The loss is the log loss where trials may pause by it.
            column = f"{self.split}_{LOSS if metric == 'log_loss' else metric}"
            return self._at(run, column)
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
        """A number of the learning curve at the rung; a UsageError if that has changed."""
        folder, record = self.store.folder(run.variant.name, run.run_id), self.stored(run)
        if record is not None:
            refuse_changed(folder, record, HISTORY)
        for row in load_history(folder):
            if row["iteration"] == run.until:
                return float(row[column])
        raise NnrunError(f"{run.key}: its learning curve has no row for iteration {run.until}")


class SearchRuns(RunSource):
    """Runs of tracks: of the first, and where its results have to come first, of the next.

    Args:
        search: the identity of the search.
        tracks: in the order of their importance.
        results: reads stored runs.
        changed: called with a trial that has ended, or reached a rung, and before it goes on.
        pace: measures how long runs take.
        is_overdue: returns whether runs in hand have to stop, where there is a time. No run may
            wait for a worker then, where it could begin after the end.
    """

    def __init__(
        self,
        search: str,
        tracks: Sequence[Track],
        results: Results,
        changed: Callable[[Trial], None],
        pace: Pace,
        *,
        is_overdue: Callable[[], bool] | None = None,
    ) -> None:
        self.search = search
        self.tracks = tracks
        self._results = results
        self._changed = changed
        self._pace = pace
        self._is_overdue = is_overdue
        self._issued: dict[int, tuple[PlannedRun, Track]] = {}

    def next(self, at_a_time: int) -> PlannedRun | None:
        while self._is_overdue is None or len(self._issued) < at_a_time:
            found = self._first(at_a_time)
            if found is None:
                return None
            run, track = found
            late = track.over
            if run.until is None and not late:
                return run
            # The loop would train such a run anew: it looks for runs at their ends alone.
            record = self._results.reached(run)
            if late and record is None:
                self._out_of_time(run)
            elif run.until is None or record is None:
                return run
            else:
                self.ended(run, record)
        return None

    def ended(self, run: PlannedRun, record: RunRecord) -> None:
        self._changed(self._track_of(run).ended(run, record))

    def failed(self, run: PlannedRun, reason: str) -> None:
        self._changed(self._track_of(run).failed(run, reason))

    def overdue(self) -> bool:
        return bool(self._issued) and self._is_overdue is not None and self._is_overdue()

    def give_up(self) -> bool:
        """End the trials of runs that were stopped as overdue; returns whether there were any."""
        stopped = [run for run, _ in self._issued.values()] if self.overdue() else []
        for run in stopped:
            self._out_of_time(run)
        return bool(stopped)

    def _out_of_time(self, run: PlannedRun) -> None:
        track, record = self._track_of(run), self._results.stored(run)
        if record is not None:
            track.count(run, record, record.timing["iterations"])
        self._changed(track.failed(run, "", "stopped"))

    def _first(self, at_a_time: int) -> tuple[PlannedRun, Track] | None:
        for track in self.tracks:
            run = track.next(at_a_time)
            if run is not None:
                self._issued[id(run)] = run, track
                self._pace.begin(run, at_a_time)
                return run, track
        return None

    def _track_of(self, run: PlannedRun) -> Track:
        """The track that asked for this run; another may have asked for the same."""
        self._pace.end(run)
        return self._issued.pop(id(run))[1]


class FinalRuns(RunSource):
    """Runs of settings with the same seeds, seed by seed, as long as there is time for them.

    `search` is the identity of the search. `is_late` returns whether runs have to stop where so
    many seeds are complete, and runs have taken so many seconds; `was_late` is whether that, or
    the end of the time, has left some out.
    """

    def __init__(
        self,
        search: str,
        variants: Sequence[Variant],
        results: Results,
        pace: Pace,
        is_late: Callable[[int, float], bool],
    ) -> None:
        self.search = search
        self.seeds = variants[0].seeds
        self._left = deque(sorted(chain(*(one.runs() for one in variants)), key=_order))
        self._results = results
        self._pace = pace
        self._is_late = is_late
        self._in_hand: dict[int, PlannedRun] = {}
        self._training: set[int] = set()
        self._seconds: list[float] = []
        self.was_late = False

    @property
    def complete(self) -> int:
        """Of how many seeds all runs have ended."""
        missing = {run.seed for run in (*self._left, *self._in_hand.values())}
        return next((at for at, seed in enumerate(self.seeds) if seed in missing), len(self.seeds))

    def next(self, at_a_time: int) -> PlannedRun | None:
        if not self._left or len(self._in_hand) >= at_a_time:
            return None
        is_stored = self._results.reached(self._left[0]) is not None
        if not is_stored and (self._late() or self._pace.clock.is_over()):
            self.was_late = True
            return None
        run = self._left.popleft()
        self._in_hand[id(run)] = run
        if not is_stored:
            self._training.add(id(run))
            self._pace.begin(run, at_a_time)
        return run

    def overdue(self) -> bool:
        return bool(self._training) and self._late()

    def ended(self, run: PlannedRun, record: RunRecord) -> None:
        self._remove(run)

    def failed(self, run: PlannedRun, reason: str) -> None:
        self._remove(run)

    def _remove(self, run: PlannedRun) -> None:
        del self._in_hand[id(run)]
        if id(run) in self._training:
            self._training.remove(id(run))
            self._seconds.append(self._pace.end(run))

    def _late(self) -> bool:
        # The first run of a worker takes longer.
        seconds = median(self._seconds or [0.0])
        self.was_late = self.was_late or self._is_late(self.complete, seconds)
        return self.was_late


def _order(run: PlannedRun) -> tuple[int, int]:
    return run.seed, run.variant.number
