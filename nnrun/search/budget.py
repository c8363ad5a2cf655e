"""What the time of a search is enough for: trials, and how much of a final comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nnrun.search.state import Before, SearchState, best_trials
from nnrun.search.trials.pace import Clock, Pace
from nnrun.search.trials.trial import Trial

# The final comparison of full size gets no more than this share of the time from the trials.
_MOST_RESERVED = 0.4
# Estimates are made anew after this share of the time.
_LOOK_SHARE = 0.001
# Runs in hand may take so much more than all of the time.
_GRACE_SHARE, _GRACE_SECONDS = 0.03, 0.5


@dataclass
class Budget:
    """What fits, by how long the trials took that have ended.

    Args:
        state: of the search.
        clock: how much time is used.
        pace: how long runs take.
        before: what earlier calls have come to; trials are over if their final comparison had begun
            by the same limit.
    """

    state: SearchState
    clock: Clock
    pace: Pace
    before: Before
    _looked: dict[float, float] = field(default_factory=dict)
    _overdue: bool = False
    _next_look: float = 0.0
    # Whether there was time for the least final comparison at some look.
    _had_time: bool = False

    def has_time(self, part: float) -> bool:
        """Whether trials that may use this part of the time may begin or go on.

        They leave time for the final comparison, at least for one of the best setting with the
        config's own on one seed, and a test; where there is clearly none for that, they take all
        of it.
        """
        limit, used = self.clock.limit, self.clock.used
        if self.before.final is not None and limit is not None and limit == self.before.limit:
            return False
        if self.is_overdue():
            return False
        if limit is None or used < self._looked.get(part, 0.0):
            return True
        has = used < part * limit
        if has and self._best():
            least = self._least()
            reserved = max(least, min(self._whole(), _MOST_RESERVED * limit))
            each = self.pace.each(self._ended())
            fits = used < part * (limit - reserved) and used + each + least <= limit
            has = fits or not (self._had_time or self._may_fit())
        if has:
            self._looked[part] = used + _LOOK_SHARE * limit
        return has

    def is_overdue(self) -> bool:
        """Whether trials in hand take the time of the least final comparison.

        Where there was clearly never time for one, or no trial has completed, they may take a
        little more than all of the time.
        """
        limit, used = self.clock.limit, self.clock.used
        if limit is None or self._overdue or used < self._next_look:
            return self._overdue
        if self._best() and used + self._least() <= limit:
            self._had_time = True
        else:
            self._overdue = self._had_time or self._may_fit() or self.is_late()
        self._next_look = used + _LOOK_SHARE * limit
        return self._overdue

    def is_late(self) -> bool:
        """Whether runs in hand take more than all of the time."""
        limit = self.clock.limit
        return limit is not None and self.clock.is_over(-max(_GRACE_SECONDS, _GRACE_SHARE * limit))

    def final_size(self) -> tuple[int, int]:
        """How many of the best settings to compare, and on how many seeds, if there is time.

        As before, if no trial has come since.
        """
        plan, trials, left = self.state.plan, self.state.trials, self.clock.left
        top, seeds = plan.block.top, plan.block.fresh_seeds
        known = len(self.before.trials) == len(trials)
        if self.before.final is not None and known and left is not None:
            return self.before.final
        if left is None or not self._ended():
            return top, seeds
        best = best_trials(trials, plan.goal, top)
        for size, few in [(top, 3), (3, 2), (3, 1), (2, 1)]:
            if few <= seeds and self._seconds(best[:size], few) <= left:
                return min(size, len(best)), seeds
        return 1, seeds

    def seconds_of_test(self, trials: Sequence[Trial], seeds: int) -> float:
        """How long the test takes of whichever of these, or of the config's own settings."""
        if not self.state.plan.settings.judging.has_test:
            return 0.0
        longest = max(self._costs(trials))
        return self.pace.starting(self._ended()) + self.pace.beside([longest] * seeds)

    def _seconds(self, trials: Sequence[Trial], seeds: int) -> float:
        """How long a final comparison of these takes, and a test."""
        compared = self.pace.beside(self._costs(trials) * seeds)
        return self.pace.starting(self._ended()) + compared + self.seconds_of_test(trials, seeds)

    def _may_fit(self) -> bool:
        """Whether there is time for the least final comparison if its workers start at once, as
        where this process trains.
        """
        starting = 2 * self.pace.starting(self._ended())
        return bool(self._best()) and not self.clock.is_over(self._least() - starting)

    def _whole(self) -> float:
        """Seconds for a comparison and a test of full size."""
        plan = self.state.plan
        best = best_trials(self.state.trials, plan.goal, plan.block.top)
        best += best[-1:] * (plan.block.top - len(best))
        return self._seconds(best, plan.block.fresh_seeds)

    def _best(self) -> Sequence[Trial]:
        return best_trials(self.state.trials, self.state.plan.goal, 1)

    def _least(self) -> float:
        """Seconds for the best setting and the config's own on one seed, and a test."""
        return self._seconds(self._best(), 1)

    def _ended(self) -> Sequence[Trial]:
        every = (*self.state.trials, *self.state.random)
        return [trial for trial in every if trial.ended and trial.runs]

    def _costs(self, trials: Sequence[Trial]) -> list[float]:
        """Seconds on one seed of these, and of settings that are compared in any case."""
        plan, ended = self.state.plan, self._ended()
        compared = [*trials, *best_trials(self.state.random, plan.goal, 1)]
        costs = [self.pace.of_trial(trial, ended) for trial in compared]
        costs.append(self.pace.of(plan.default.variant, ended))
        return [cost / len(plan.seeds) for cost in costs]
