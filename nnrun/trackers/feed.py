"""A tracker with a thread of its own: what runs send is queued, and no run waits for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from time import monotonic

from nnrun.characters import clean
from nnrun.errors import clipped
from nnrun.reports.numbers import plural
from nnrun.trackers.content import Tracker

Task = Callable[[Tracker], None]

# A tracker that does not answer is sent no more than this; the same command sends the rest.
_MOST_QUEUED = 2000
# After this many failures in a row, nothing more is sent to a tracker.
_MOST_FAILURES = 3
# The wait at the end: for the next answer, and for all of them.
_ANSWER_SECONDS = 10.0
_ALL_SECONDS = 300.0
_TICK_SECONDS = 0.05
# While runs are trained, silence of this many seconds is reported.
_SILENCE_SECONDS = 30.0
_LONGEST = 300


class Feed:
    """Sends what runs say to a tracker, one message after the other.

    Args:
        what: the tracker in words, such as `MLflow at http://127.0.0.1:5000`.
        opened: connects to it; called in the thread.
        say: called with a sentence about what is wrong, in the thread of the caller.
    """

    def __init__(
        self, what: str, opened: Callable[[], Tracker], say: Callable[[str], None]
    ) -> None:
        self._what = what
        self._opened = opened
        self._say = say
        # A task with the run that it is about; None at the end.
        self._tasks: SimpleQueue[tuple[str, Task] | None] = SimpleQueue()
        self._trouble = ""
        self._said = False
        self._given_up = False
        self._lost: set[str] = set()
        self._current = ""
        self._asked: float | None = None  # when the task began that is not answered yet
        self._thread = Thread(target=self._work, daemon=True, name=what)
        self._thread.start()

    def send(self, run: str, task: Task) -> None:
        """Queue a task that is about this run, or about none: ""."""
        if self._given_up or self._tasks.qsize() >= _MOST_QUEUED:
            self._lost.add(run)
        else:
            self._tasks.put((run, task))
        self._tell(_SILENCE_SECONDS)

    def close(self) -> None:
        """Wait until all is sent, as long as there are answers; say which runs are not."""
        self._tasks.put(None)
        start = monotonic()
        while self._thread.is_alive():
            self._thread.join(_TICK_SECONDS)
            waited = monotonic() - start
            silent = waited > _ANSWER_SECONDS and self._silence() > _ANSWER_SECONDS
            if silent or waited > _ALL_SECONDS:
                self._give_up()
                self._tasks.put(None)  # the thread ends as soon as it can
                break
        self._tell(_ANSWER_SECONDS)
        runs = plural(len(self._lost - {""}), "run")
        if self._lost:
            self._say(f"{self._what} lacks {runs}, or parts of them; the same command sends them")

    def _silence(self) -> float:
        """Seconds since the task in progress began."""
        asked = self._asked
        return 0.0 if asked is None else monotonic() - asked

    def _tell(self, longest: float) -> None:
        if self._silence() > longest:
            self._trouble = self._trouble or "there is no answer"
        if self._trouble and not self._said:
            self._said = True
            self._say(f"{self._what}: {self._trouble}; runs are kept without it")

    def _give_up(self) -> None:
        self._given_up = True
        self._lost.add(self._current)
        while not self._tasks.empty():
            found = self._tasks.get()
            self._lost |= set() if found is None else {found[0]}

    def _work(self) -> None:
        """The thread: tasks until the end, or until the tracker is given up."""
        failures, trackers = 0, list[Tracker]()
        while (found := self._tasks.get()) is not None and not self._given_up:
            run, task = found
            if not trackers:
                self._try(run, lambda: trackers.append(self._opened()))
            done = any(self._try(run, partial(task, tracker)) for tracker in trackers)
            failures = 0 if done else failures + 1
            if not trackers or failures == _MOST_FAILURES:
                self._give_up()
                return
        if trackers and not self._given_up:
            self._try("", trackers[0].close)

    def _try(self, run: str, step: Callable[[], None]) -> bool:
        """Take a step that is about this run; returns whether it went well."""
        self._current, self._asked = run, monotonic()
        try:
            step()
        except Exception as error:  # no run depends on a tracker
            self._trouble = self._trouble or _sentence(error)
            self._lost.add(run)
            return False
        finally:
            self._asked = None
        return True


def _sentence(error: Exception) -> str:
    why = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    first, *_ = why.partition(" Response body")[0].splitlines()
    return clipped(clean(first).rstrip("."), _LONGEST)
