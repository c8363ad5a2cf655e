"""How much of a search's time is used, over all of its interruptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic


@dataclass
class Clock:
    """The time of a search: no run begins when it is over, and trials in hand stop.

    Args:
        limit: in seconds; None for as long as it takes.
        started: when this call of the command began, by the timer.
        before: what earlier calls of the command have used.
        timer: seconds since some moment.
    """

    limit: float | None
    started: float
    before: float = 0.0
    timer: Callable[[], float] = monotonic

    @property
    def used(self) -> float:
        """Seconds so far."""
        return self.before + self.timer() - self.started

    @property
    def left(self) -> float | None:
        """Seconds until the end; None without one."""
        return None if self.limit is None else max(0.0, self.limit - self.used)

    def is_over(self, reserved: float = 0.0) -> bool:
        """Whether no more time is left than these seconds."""
        return self.limit is not None and self.used >= self.limit - reserved
