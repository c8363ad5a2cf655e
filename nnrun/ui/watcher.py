"""The one thread that looks at the results folder, however many pages are open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from threading import Condition, Thread
from time import monotonic

from nnrun.garbage import not_collected
from nnrun.reports.html.overview import Found
from nnrun.runs.catalog.live import Key, LiveRuns
from nnrun.runs.catalog.summary import IN_PROGRESS
from nnrun.runs.storage.sweep_progress import SweepCounts, sweeps_in
from nnrun.ui.parts import Part, problem_part

_SECONDS = 1.0
# Looking, and drawing what has ended, take at most these shares of the time.
_LOOKING, _DRAWING = 0.1, 0.2
_PATIENCE = 30.0


Draw = Callable[[Sequence[Found], Sequence[SweepCounts]], Sequence[Part]]
DrawNow = Callable[[Sequence[Found], Sequence[SweepCounts], str], Sequence[Part]]


class Watcher:
    """Looks at most once a second, and only while pages are open or asked for.

    Args:
        root: the results folder.
        draw_now: makes the parts about runs in progress; it gets the path of the results folder,
            where there is none.
        draw: makes those about runs that have ended.
        publish: called in the watcher's thread with each new snapshot.
    """

    def __init__(
        self, root: Path, draw_now: DrawNow, draw: Draw, publish: Callable[[Snapshot], None]
    ) -> None:
        self._root = root
        self.snapshot = Snapshot()
        self._live = LiveRuns(root)
        self._draw_now, self._draw, self._publish = draw_now, draw, publish
        self._state = Condition()
        self._listeners = 0
        self._asked = True  # the first look is made before the first page is opened
        self._ended = False
        self._draws = False
        self._missing = ""
        self._looked = -inf  # when the last look that has ended began
        self._next_look = self._next_drawing = 0.0
        self._outdated = True
        self._thread = Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin; it ends with `close`."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with self._state:
            self._ended = True
            self._state.notify_all()
        if self._thread.is_alive():
            self._thread.join(_SECONDS)

    def listen(self, change: int) -> None:
        """Count pages that are open: one more, or one less (-1)."""
        with self._state:
            self._listeners += change
            self._state.notify_all()

    def fresh(self, drawn_within: float = 0.0) -> Snapshot:
        """A snapshot of the last second.

        This many seconds after the call it no longer waits for results that are drawn: of many runs
        they follow later.
        """
        latest = monotonic() + drawn_within
        with self._state:
            oldest = monotonic() - _SECONDS
            if self._looked < oldest:
                self._asked = True
                self._state.notify_all()
                # While results are drawn there is no look: what was known before is shown.
                self._state.wait_for(
                    lambda: self._ended or self._looked >= oldest or self._draws, _PATIENCE
                )
            left = max(latest - monotonic(), 0.0)
            self._state.wait_for(lambda: self._ended or self._is_drawn(), left)
            return self.snapshot

    def _is_drawn(self) -> bool:
        """Whether the results are those of the last look, or will not be drawn soon."""
        waits = self._outdated and monotonic() >= self._next_drawing
        return self.snapshot.drawn and not waits and not self._draws

    def _run(self) -> None:
        while self._waited():
            start = monotonic()
            with not_collected():
                self._attempt(self._look)
            with self._state:
                self._looked = start
                self._state.notify_all()
            if self._outdated and monotonic() >= self._next_drawing:
                self._set_draws(True)
                self._attempt(self._draw_results)
                self._set_draws(False)  # once they are shown, which `fresh` waits for

    def _attempt(self, step: Callable[[], None]) -> None:
        """Take a step; an error, as of a folder without permission, is shown until the next one."""
        try:
            step()
        except Exception as error:  # the pages stay open, and later looks may succeed
            why = f"{type(error).__name__}: {error}"
            self._show(replace(self.snapshot, results=[problem_part(why)], drawn=True))
            self._outdated = True

    def _waited(self) -> bool:
        """Wait until the next look is due; returns whether there is one."""
        with self._state:
            while not self._ended and not self._asked:
                left = self._next_look - monotonic()
                if self._listeners and left <= 0:
                    break
                self._state.wait(left if self._listeners else None)
            self._asked = False
            return not self._ended

    def _look(self) -> None:
        start = monotonic()
        self._next_look = start + _SECONDS
        before, self._missing = self._missing, "" if self._root.is_dir() else str(self._root)
        sweeps, changed = sweeps_in(self._root), self._live.look()
        moved = before != self._missing
        if changed or moved or sweeps != self.snapshot.sweeps or self._looked == -inf:
            self._outdated |= any(map(self._has_ended, changed))
            runs = [Found(f"{self._root}/{run.label}", run) for run in self._live.runs]
            now = self._draw_now(runs, sweeps, self._missing)
            self._show(replace(self.snapshot, runs=runs, sweeps=sweeps, now=now))
        self._next_look = start + max(_SECONDS, (monotonic() - start) / _LOOKING)

    def _has_ended(self, key: Key) -> bool:
        run = self._live.get(key)
        return run is None or run.status not in IN_PROGRESS

    def _draw_results(self) -> None:
        start = monotonic()
        self._outdated = False
        try:
            with not_collected():
                results = self._draw(self.snapshot.runs, self.snapshot.sweeps)
        finally:
            end = monotonic()
            self._next_drawing = end + (end - start) / _DRAWING
        self._show(replace(self.snapshot, results=results, drawn=True))

    def _set_draws(self, draws: bool) -> None:
        with self._state:
            self._draws = draws
            self._state.notify_all()

    def _show(self, snapshot: Snapshot) -> None:
        with self._state:
            self.snapshot = snapshot
            self._state.notify_all()
        self._publish(snapshot)


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment.

    Args:
        runs: all of them, by name and seed.
        sweeps: in progress, as far as they count their runs.
        now: the parts about runs in progress and about all runs.
        results: those about runs that have ended; of an earlier moment, if that takes long.
        drawn: whether there are such.
    """

    runs: Sequence[Found] = ()
    sweeps: Sequence[SweepCounts] = ()
    now: Sequence[Part] = ()
    results: Sequence[Part] = ()
    drawn: bool = False

    def find(self, key: str) -> Found | None:
        """The run with this name and id."""
        return next((run for run in self.runs if run.overview.label == key), None)
