"""The time of a search, and what it is enough for: trials, and how much of a final comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from nnrun.search.state import Before, SearchState, best_trials
from nnrun.search.trials.trial import Trial
from nnrun.sweeps.planning.plan import Variant


@dataclass
class Clock:
    """The time of a search: no run begins when it is over, and trials in hand stop.

    `limit` is in seconds, None for as long as it takes; `started` is when this call of the command
    began, by the timer, and `before` what earlier calls have used.
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


# The final comparison gets no more than this share of the time from the trials.
_MOST_RESERVED = 0.4
# Estimates are made anew after this share of the time.
_LOOK_SHARE = 0.001
# Trials in hand may take so much more than all of the time.
_GRACE_SHARE, _GRACE_SECONDS = 0.05, 1.0


@dataclass
class Budget:
    """Estimates by the trials that have ended; a trial is one on one seed, with all folds.

    Args:
        state: of the search.
        clock: how much time is used.
        before: what earlier calls have come to; trials are over if their final comparison had begun
            by the same limit.
    """

    state: SearchState
    clock: Clock
    before: Before
    _looked: dict[float, float] = field(default_factory=dict)
    _overdue: bool = False
    _next_look: float = 0.0
    # Seconds of this call before its first trial, which say nothing about trials.
    _startup: float | None = None

    def has_time(self, part: float) -> bool:
        """Whether trials that may use this part of the time may begin or go on.

        They leave time for the final comparison, at least for one of the best setting with the
        config's own on one seed, and a test; where there is none for that, they take all of it.
        """
        limit, used = self.clock.limit, self.clock.used
        if self.before.final is not None and limit is not None and limit == self.before.limit:
            return False
        if self.is_overdue():
            return False
        if self._startup is None:
            self._startup = used - self.before.seconds
        if limit is None or used < self._looked.get(part, 0.0):
            return True
        has = used < part * limit
        each = self._seconds_each()
        if has and self._best():
            least = self._least()
            reserved = max(least, min(self._whole() * each, _MOST_RESERVED * limit))
            fits = used + least <= limit
            has = not fits or (used < part * (limit - reserved) and used + each + least <= limit)
        if has:
            self._looked[part] = used + _LOOK_SHARE * limit
        return has

    def is_overdue(self) -> bool:
        """Whether trials in hand take the time of the least final comparison.

        Where there is no time for one, or no trial has completed, they may take a little more than
        all of the time.
        """
        limit, used = self.clock.limit, self.clock.used
        if limit is None or self._overdue or used < self._next_look:
            return self._overdue
        end = limit - self._least() if self._best() else 0.0
        if end < (1 - _MOST_RESERVED) * limit:
            end = limit + max(_GRACE_SECONDS, _GRACE_SHARE * limit)
        self._overdue = used > end
        self._next_look = used + _LOOK_SHARE * limit
        return self._overdue

    def final_size(self) -> tuple[int, int]:
        """How many of the best settings, and how many seeds, there is time to compare and test.

        As before, if no trial has come since.
        """
        plan, trials, left = self.state.plan, self.state.trials, self.clock.left
        top, seeds = plan.block.top, plan.block.fresh_seeds
        known = len(self.before.trials) == len(trials)
        if self.before.final is not None and known and left is not None:
            return self.before.final
        if left is None or not self._done():
            return top, seeds
        costs = self._costs(best_trials(trials, plan.goal, top))
        others = self._others()
        fitting = left / self._seconds_each()
        for size, few in [(top, seeds), (top, 3), (3, 3), (3, 2), (2, 2), (2, 1)]:
            taken = costs[:size]
            if few <= seeds and (sum(taken) + others + max(taken, default=1)) * few <= fitting:
                return len(taken), few
        return 1, 1

    def seconds_of_test(self, trials: Sequence[Trial], seeds: int) -> float:
        """How long before the end the test has to begin, so that its last run may begin in time."""
        return (seeds - 1) * max(self._costs(trials)) * self._seconds_each()

    def _whole(self) -> int:
        """How many trials a comparison and a test of full size are."""
        plan = self.state.plan
        rows = plan.block.top + 1 + plan.has_random + plan.settings.judging.has_test
        return plan.block.fresh_seeds * rows

    def _best(self) -> Sequence[Trial]:
        return best_trials(self.state.trials, self.state.plan.goal, 1)

    def _least(self) -> float:
        """Seconds for the best setting and the config's own on one seed, and a test."""
        return self._seconds_each() * (self._others() + 2 * max(self._costs(self._best())))

    def _others(self) -> float:
        """What settings cost that are compared in any case."""
        beside = best_trials(self.state.random, self.state.plan.goal, 1)
        return self._cost(self.state.plan.default.variant) + sum(self._costs(beside))

    def _seconds_each(self) -> float:
        return (self.clock.used - (self._startup or 0.0)) / max(1.0, self._done())

    def _done(self) -> float:
        return len(self.state.plan.seeds) * sum(trial.share for trial in self._ended())

    def _ended(self) -> Sequence[Trial]:
        every = (*self.state.trials, *self.state.random)
        return [trial for trial in every if trial.ended and trial.runs]

    def _costs(self, trials: Sequence[Trial]) -> Sequence[float]:
        return [self._cost(trial.runs[0].variant) for trial in trials]

    def _cost(self, variant: Variant) -> float:
        """How long it trains by the estimate from its shapes, in trials of mean length."""
        ended = self._ended()
        each = sum(trial.share * trial.runs[0].variant.estimate.seconds for trial in ended)
        mean = each / max(1.0, sum(trial.share for trial in ended))
        return variant.estimate.seconds / mean if mean else 1.0
