"""Functions that a run calls while it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from nnrun.training.state import HistoryRow, TrainingState
from nnrun.training.trainer import Progress

# A run that is killed without warning loses at most this much.
CHECKPOINT_SECONDS = 10.0


@dataclass(frozen=True)
class Callbacks:
    """Functions that a run calls while it trains; by default they do nothing.

    Args:
        start: called before the first update with the number of updates already made.
        observe: called with the progress, some twenty times a second.
        stop: called as often; returns whether to stop.
        evaluated: called with each evaluation's row of the history; returns whether the run ends
            with these weights. Without it, short runs are trained in one call of the engine.
        checkpoint: called as often with a function that returns the state of training.
        note: called with a sentence for the user.
        wait: called with a few words before a long step, such as compiling.
        threads: how many the run may use; the bits are the same for any number.
        until: pause at the first evaluation from this iteration on, as if interrupted there.
    """

    start: Callable[[int], None] = lambda iteration: None
    observe: Callable[[Progress], None] = lambda progress: None
    stop: Callable[[], bool] = lambda: False
    evaluated: Callable[[HistoryRow], bool] | None = None
    checkpoint: Callable[[Callable[[], TrainingState]], None] = lambda state: None
    note: Callable[[str], None] = lambda text: None
    wait: Callable[[str], None] = lambda text: None
    threads: int = 1
    until: int | None = None


def now_and_then(
    save: Callable[[TrainingState], None],
) -> Callable[[Callable[[], TrainingState]], None]:
    """A callback that saves the state of a run every few seconds."""
    last = monotonic()

    def checkpoint(state: Callable[[], TrainingState]) -> None:
        nonlocal last
        if monotonic() - last > CHECKPOINT_SECONDS:
            save(state())
            last = monotonic()

    return checkpoint
