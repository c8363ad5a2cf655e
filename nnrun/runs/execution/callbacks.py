"""How a run in progress is watched and steered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress


@dataclass(frozen=True)
class Callbacks:
    """Functions that a run calls, which by default do nothing; and what it may use.

    Args:
        start: is told, before the first update, how many updates have been made already.
        observe: is shown how far it is, some twenty times a second.
        stop: is asked as often whether to stop here.
        checkpoint: is given the state of training where that is worth keeping.
        note: is told in a sentence what else the user should know.
        wait: is told in a few words what takes its time before training begins.
        threads: how many may share the work; the bits are the same for any number.
    """

    start: Callable[[int], None] = lambda iteration: None
    observe: Callable[[Progress], None] = lambda progress: None
    stop: Callable[[], bool] = lambda: False
    checkpoint: Callable[[Callable[[], TrainingState]], None] = lambda state: None
    note: Callable[[str], None] = lambda text: None
    wait: Callable[[str], None] = lambda text: None
    threads: int = 1
