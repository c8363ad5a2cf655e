"""How much of a search's time is used, over all of its interruptions."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

# The final comparison gets no more than this share of the time from the trials.
_MOST_RESERVED = 0.4


@dataclass
class Clock:
    """The time of a search.

    Args:
        limit: in seconds; None for as long as it takes.
        before: what earlier calls of the command have used.
        started: when this one began, by the monotonic clock.
    """

    limit: float | None
    before: float = 0.0
    started: float = field(default_factory=monotonic)

    @property
    def used(self) -> float:
        """Seconds so far."""
        return self.before + monotonic() - self.started

    @property
    def left(self) -> float | None:
        """Seconds until the end; None without one."""
        return None if self.limit is None else max(0.0, self.limit - self.used)

    def has_time(self, final_runs: int, done: float, part: float = 1.0) -> bool:
        """Whether to propose more trials.

        Args:
            final_runs: of the comparison at the end.
            done: how many runs have been trained so far.
            part: of the time for trials that these may use.
        """
        if self.limit is None:
            return True
        used = self.used
        reserved = used / max(1.0, done) * final_runs if done else 0.0
        return used < part * (self.limit - min(reserved, _MOST_RESERVED * self.limit))

    def final_size(self, top: int, others: int, seeds: int, done: float) -> tuple[int, int]:
        """How many settings and seeds the final comparison has time for.

        Args:
            top: how many settings there may be.
            others: that are compared in any case.
            seeds: how many there may be.
            done: how many runs have been trained so far.
        """
        left = self.left
        if left is None or not done:
            return top, seeds
        runs = left / (self.used / done)
        sizes = [(top, seeds), (top, 3), (min(top, 3), 3), (min(top, 3), 2), (min(top, 2), 2)]
        fitting = ((t, s) for t, s in sizes if s <= seeds and (t + others + 1) * s <= runs)
        return next(fitting, (min(top, 2), 2))
