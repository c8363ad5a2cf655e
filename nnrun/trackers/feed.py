"""A tracker with a thread of its own, and what is sent: no run waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from nnrun.characters import clean
from nnrun.config.settings import flatten
from nnrun.errors import clipped
from nnrun.reports.numbers import plural
from nnrun.runs.record import KEYS

if TYPE_CHECKING:
    from nnrun.runs.record import RunRecord
    from nnrun.training.state import HistoryRow


# What trackers are sent of a run, as plain values.

ENDED = ("completed", "diverged", "failed", "stopped")
"""The statuses of runs that the same command does not train further."""

_SINGLE = ("network", "loss", "training")
_ABOUT = ("name", "description", "published", "sweep")
# Of a row of the history these are no numbers to follow: the first is the step of all others.
_STEPS = ("iteration", "epoch")


@dataclass(frozen=True)
class TrackedRun:
    """A run, as trackers know it.

    Args:
        name: of the experiment.
        run_id: of the run.
        config: resolved, as plain values.
        sha256: of its data.
        choice: the settings that a sweep varies, by dotted keys.
    """

    name: str
    run_id: str
    config: Mapping[str, Any]
    sha256: str
    choice: Collection[str] = ()

    @property
    def label(self) -> str:
        """Label of the run in the results folder."""
        return f"{self.name}/{self.run_id}"

    @property
    def description(self) -> str:
        """What the config says of itself."""
        return str(self.config.get("description") or "")

    @property
    def settings(self) -> dict[str, Any]:
        """The config by dotted keys, without what is not set, or does not change the run."""
        config = {key: value for key, value in self.config.items() if key not in _ABOUT}
        return {key: v for key, v in flatten(config).items() if v not in (None, "", [], {})}

    @property
    def varied(self) -> dict[str, Any]:
        """The settings that a sweep varies; of a single run, those of network and training."""
        found = {
            key: value
            for key, value in self.settings.items()
            if any(key == name or key.startswith(f"{name}.") for name in self.choice or _SINGLE)
        }
        return {key: value for key, value in found.items() if key not in KEYS}


@dataclass(frozen=True)
class EndedRun:
    """The end of a run: its report, its learning curve, and its folder if it is saved."""

    record: RunRecord
    history: Sequence[HistoryRow]
    folder: Path | None


class Tracker(Protocol):
    """Receiver of runs; it is called in a thread of its own."""

    def rows(self, run: TrackedRun, rows: Sequence[HistoryRow]) -> None:
        """Evaluations of a run in progress, the next ones or all so far."""

    def end(self, run: TrackedRun, ended: EndedRun) -> None:
        """A run has ended, in this process or before; one that is there already is not repeated."""

    def fail(self, run: TrackedRun) -> None:
        """A run in progress could not be trained or saved."""

    def board(self, files: Sequence[Path]) -> None:
        """The files of the leaderboard of the sweep."""

    def close(self) -> None:
        """All has been sent."""


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """What a row of the history has to follow, such as `train_loss` and `learning_rate`."""
    return {name: float(value) for name, value in row.items() if name not in _STEPS}


def final(record: RunRecord) -> dict[str, float]:
    """The metrics at the end, such as `final/test_accuracy`, with the weights that are kept."""
    return {
        f"final/{split}_{name}": float(value)
        for split, metrics in record.metrics.items()
        for name, value in (metrics or {}).items()
        if type(value) in (int, float)
    }


def tags(run: TrackedRun, record: RunRecord | None = None) -> dict[str, str]:
    """What a run is known by: in the results folder it is `name/run_id`."""
    known = {"name": run.name, "run_id": run.run_id, "data_sha256": run.sha256}
    if record is not None:
        known |= {
            "status": record.status,
            "task": record.task,
            "engine": record.engine,
            "version": record.nnrun_version,
            "weights_sha256": record.weights_sha256 or "",
            "error": record.error or "",
        }
    return {f"nnrun.{key}": value for key, value in known.items() if value}


def as_text(value: Any) -> str:
    """A setting as text: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


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
