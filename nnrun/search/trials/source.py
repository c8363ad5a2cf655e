"""The runs of all trials of a search, for the loop of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nnrun.runs.record import RunRecord
from nnrun.search.trials.results import Results
from nnrun.search.trials.track import Track
from nnrun.search.trials.trial import Trial
from nnrun.sweeps.planning.plan import PlannedRun


class SearchRuns:
    """Runs of tracks: of the first, and where its results have to come first, of the next.

    Args:
        tracks: in the order of their importance.
        results: reads stored runs.
        changed: called with a trial that has ended, or reached a rung, and before it goes on.
    """

    def __init__(
        self, tracks: Sequence[Track], results: Results, changed: Callable[[Trial], None]
    ) -> None:
        self.tracks = tracks
        self._results = results
        self._changed = changed
        self._issued: dict[int, tuple[PlannedRun, Track]] = {}

    def next(self, at_a_time: int) -> PlannedRun | None:
        while True:
            run = self._first(at_a_time)
            if run is None or run.until is None:
                return run
            # The loop would train such a run anew: it looks for runs at their ends alone.
            record = self._results.reached(run)
            if record is None:
                return run
            self.ended(run, record)

    def ended(self, run: PlannedRun, record: RunRecord) -> None:
        self._changed(self._track_of(run).ended(run, record))

    def failed(self, run: PlannedRun, reason: str) -> None:
        self._changed(self._track_of(run).failed(run, reason))

    def _first(self, at_a_time: int) -> PlannedRun | None:
        for track in self.tracks:
            run = track.next(at_a_time)
            if run is not None:
                self._issued[id(run)] = run, track
                return run
        return None

    def _track_of(self, run: PlannedRun) -> Track:
        """The track that asked for this run; another may have asked for the same."""
        return self._issued.pop(id(run))[1]
