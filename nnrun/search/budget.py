"""What the time of a search is enough for: its trials, and how much of a final comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnrun.search.clock import Clock
from nnrun.search.finals import best_trials
from nnrun.search.state import SearchState
from nnrun.search.trials.trial import Trial
from nnrun.sweeps.planning.plan import Variant

# The final comparison gets no more than this share of the time from the trials.
_MOST_RESERVED = 0.4


@dataclass(frozen=True)
class Budget:
    """Estimates by the trials that have ended; a trial is one on one seed, with all folds.

    Args:
        state: of the search.
        clock: how much time is used.
        final: the size of the final comparison where it has begun already.
        known: of how many trials it is the comparison.
    """

    state: SearchState
    clock: Clock
    final: tuple[int, int] | None
    known: int

    def has_time(self, part: float) -> bool:
        """Whether trials that may use this part of the time may begin or go on."""
        limit, used = self.clock.limit, self.clock.used
        if limit is None or used < part * (1 - _MOST_RESERVED) * limit:
            return True
        return used < part * (limit - min(self._reserved(), _MOST_RESERVED * limit))

    def final_size(self) -> tuple[int, int]:
        """How many of the best settings, and how many seeds, there is time to compare and test.

        As before, if no trial has come since.
        """
        plan, trials, left = self.state.plan, self.state.trials, self.clock.left
        top, seeds = plan.block.top, plan.block.fresh_seeds
        if self.final is not None and self.known == len(trials) and left is not None:
            return self.final
        if left is None or not self._done():
            return top, seeds
        costs = self._costs(best_trials(trials, plan.goal, top))
        beside = self._costs(best_trials(self.state.random, plan.goal, 1))
        others = sum(beside) + self._cost(plan.default.variant)
        fitting = left / self._seconds_each()
        for size, few in [(top, seeds), (top, 3), (3, 3), (3, 2), (2, 2), (2, 1)]:
            taken = costs[:size]
            if few <= seeds and (sum(taken) + others + max(taken, default=1)) * few <= fitting:
                return len(taken), few
        return 1, 1

    def seconds_of_test(self, trials: Sequence[Trial], seeds: int) -> float:
        """How long the longest of these takes on so many seeds."""
        return seeds * max(self._costs(trials)) * self._seconds_each()

    def _reserved(self) -> float:
        """Seconds for the final comparison; none before there is a trial to compare."""
        if not any(trial.value is not None for trial in self.state.trials):
            return 0.0
        plan = self.state.plan
        rows = plan.block.top + 1 + plan.has_random + plan.settings.judging.has_test
        return plan.block.fresh_seeds * rows * self._seconds_each()

    def _seconds_each(self) -> float:
        return self.clock.used / max(1.0, self._done())

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
