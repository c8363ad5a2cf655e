"""The events of runs, sweeps and searches, and what listens to them.

A run, in the process that trains it, and in the thread of its training loop:

    (wait) ─► started ─► progressed ─► evaluated ─► stop ─► checkpoint ─► progressed ─► …

A sweep, in the process that began it and the thread of its loop; a search trains by such sweeps:

    progressed, evaluated ─► saved ─► (tried) ─► ended (─► failed) ─► released

`train` calls `saved` after these of its run. A worker's listener sends `started`, `progressed`,
`evaluated` and `checkpoint` over its channel; the sweep saves checkpoints, hands the rest to its
own listener, and answers whether the run stops. `stop` is asked in both processes. Listeners are
called in their order and wait for each other; one with slow work, such as a tracker, queues it for
a thread of its own. Several go into `Listeners`. A new one is a subclass with the events that it
wants, or functions by name: `Listener(started=…)`.

What is no event: `RunSource`, which says which run comes next, and `Channel`, which carries
messages between processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnrun.runs.lease import Outcome
    from nnrun.runs.record import RunRecord
    from nnrun.training.state import HistoryRow, TrainingState
    from nnrun.training.trainer import Progress

# A run that is killed without warning loses at most this much.
CHECKPOINT_SECONDS = 10.0


class Listener:
    """Receives events, and does nothing where neither a subclass nor a function says more.

    A `run` is a `Prepared` where one run is trained, and a `PlannedRun` in a sweep; `counts` are
    the `SweepProgress`.

    Args:
        functions: called for the events of their names.
    """

    # Whether a sweep has to send it evaluations.
    follows = False
    # Whether training waits for the answer to each evaluation; otherwise short runs are trained in
    # one call of the engine.
    decides = False

    def __init__(self, **functions: Any) -> None:
        vars(self).update(functions)

    def wait(self, text: str) -> None:
        """A long step begins before a run does, such as compiling."""

    def started(self, run: Any, iteration: int) -> None:
        """The first update follows; so many have been made before."""

    def progressed(self, run: Any, progress: Progress) -> None:
        """A run says how far it is, some twenty times a second, or four times in a worker."""

    def evaluated(self, run: Any, rows: Sequence[HistoryRow]) -> bool | None:
        """A run has made evaluations; returns whether it ends with these weights.

        These are those since the last call, with those before a checkpoint; the last ones of a run
        may be in its result alone. A listener that decides gets each new evaluation by itself.
        """
        return None

    def stop(self) -> bool:
        """Whether runs in progress stop; asked as often as they progress."""
        return False

    def checkpoint(self, state: Callable[[], TrainingState]) -> None:
        """A run could be saved as it is, and `state` returns what to save; as often as `stop`."""

    def saved(self, run: Any, outcome: Outcome) -> None:
        """A run is saved, or was complete before; it may have been interrupted."""

    def ended(self, run: Any, record: RunRecord, counts: Any, *, trained: bool) -> None:
        """A run of a sweep is complete; `trained` is false if it was complete already."""

    def failed(self, run: Any, reason: str) -> None:
        """A run of a sweep has failed."""

    def retried(self, run: Any, reason: str) -> None:
        """A run's worker was lost, and it is submitted again."""

    def released(self, run: Any) -> None:
        """A run of a sweep is no longer in progress."""

    def waiting(self, runs: int) -> None:
        """All remaining runs are being trained by other sweeps."""

    def stopping(self, runs: int) -> None:
        """No more runs are started; this many runs in progress are asked to stop."""

    def tried(self, trial: Any) -> None:
        """A trial of a search has ended or reached a rung, which is noted in `search.json`."""

    def tick(self, counts: Any) -> None:
        """A sweep goes on: called now and then, to update displays."""

    def warn(self, text: str) -> None:
        """A sentence for the user about what does not end the work."""


class Listeners(Listener):
    """Several listeners, called in their order; each of them can stop a run."""

    def __init__(self, *listeners: Listener) -> None:
        self.all = listeners
        self.follows = any(listener.follows for listener in listeners)
        self.decides = any(listener.decides for listener in listeners)


def _to_all(event: str) -> Callable[..., bool]:
    def pass_on(self: Listeners, *args: Any, **named: Any) -> bool:
        # A list, since each of them gets the event, whatever those before it answer.
        return any([getattr(each, event)(*args, **named) for each in self.all])  # noqa: C419

    return pass_on


for _event in vars(Listener):
    if not _event.startswith("_") and callable(getattr(Listener, _event)):
        setattr(Listeners, _event, _to_all(_event))


def now_and_then(
    save: Callable[[TrainingState], Any],
) -> Callable[[Callable[[], TrainingState]], None]:
    """The `checkpoint` of a listener that saves a run every few seconds."""
    last = monotonic()

    def checkpoint(state: Callable[[], TrainingState]) -> None:
        nonlocal last
        if monotonic() - last > CHECKPOINT_SECONDS:
            save(state())
            last = monotonic()

    return checkpoint
