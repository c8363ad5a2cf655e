"""Which trials end early, by their values at rungs on the way.

The trials that a decision takes into account are fixed by the number of the trial, not by which
trials have ended: so it is the same for any number of workers.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isnan

from nnrun.search.trials.trial import Trial

# The median of fewer trials is too uncertain.
_LEAST = 4


@dataclass(frozen=True)
class Goal:
    """The direction of values."""

    maximize: bool

    def order(self, value: float) -> float:
        """A key by which better values come first."""
        return -value if self.maximize else value


@dataclass(frozen=True)
class Pruning:
    """A rule for ending trials early; by this one every trial trains to its end.

    Args:
        window: how many trials may be in progress.
        shares: of a run's updates after which a trial may end.
        in_groups: whether decisions are about all trials of a group, and not those before a trial.
        goal: the direction of their values.
    """

    window: int
    shares: Sequence[float] = ()
    in_groups: bool = False
    goal: Goal = Goal(maximize=False)

    def known(self, number: int) -> int:
        """How many of the first trials have to end before this one is proposed."""
        return max(0, number - self.window + 1)

    def goes_on(
        self, trial: Trial, trials: Sequence[Trial], others: Sequence[float], *, last: bool
    ) -> bool | None:
        """Whether a trial goes on from the rung that it has reached; None if it has to wait.

        `others` are the values at this rung of the others that it may know of, ordered by the goal;
        rules about groups look at all `trials` instead. `last` is whether no more will be proposed.
        """
        return True


@dataclass(frozen=True)
class Median(Pruning):
    """A trial ends at a rung where it is worse than the median of those before it."""

    def goes_on(
        self, trial: Trial, trials: Sequence[Trial], others: Sequence[float], *, last: bool
    ) -> bool | None:
        if len(others) < _LEAST:
            return True
        half, odd = divmod(len(others), 2)
        median = others[half] if odd else (others[half - 1] + others[half]) / 2
        return self.goal.order(trial.curve[trial.rung]) <= median


@dataclass(frozen=True)
class AsynchronousHalving(Pruning):
    """A trial goes on where it is among the best of those before it, one in `reduction`."""

    reduction: int = 3

    def goes_on(
        self, trial: Trial, trials: Sequence[Trial], others: Sequence[float], *, last: bool
    ) -> bool | None:
        if len(others) < self.reduction:
            return True
        better = bisect_left(others, self.goal.order(trial.curve[trial.rung]))
        return better < max(1, (len(others) + 1) // self.reduction)


@dataclass(frozen=True)
class Halving(Pruning):
    """Trials in groups: of those of a group at a rung, one in `reduction` goes on."""

    in_groups: bool = True
    reduction: int = 3

    @property
    def group(self) -> int:
        """So many trials that one is left at the end."""
        return int(self.reduction ** len(self.shares))

    def known(self, number: int) -> int:
        return number // self.group * self.group

    def goes_on(
        self, trial: Trial, trials: Sequence[Trial], others: Sequence[float], *, last: bool
    ) -> bool | None:
        first, rung = self.known(trial.number), trial.rung
        group = trials[first : first + self.group]
        if len(group) < self.group and not last:
            return None
        entered = [one for one in group if one.same_as is None and one.rung >= rung]
        if any(not one.ended and len(one.curve) <= rung for one in entered):
            return None
        there = [one for one in entered if one.value_at(rung) is not None]
        ranked = sorted(there, key=lambda one: (self._order(one, rung), one.number))
        places = max(1, len(group) // self.reduction ** (rung + 1))
        return trial in ranked[:places]

    def _order(self, trial: Trial, rung: int) -> float:
        value = trial.value_at(rung)
        assert value is not None
        return self.goal.order(value)


def make_pruning(kind: str, *, window: int, reduction: int, rungs: int, maximize: bool) -> Pruning:
    """The rule of this name; each rung has `reduction` times the updates of the one before."""
    goal = Goal(maximize)
    shares = [float(reduction) ** -power for power in range(rungs, 0, -1)]
    if kind == "halving":
        return Halving(window, shares, goal=goal, reduction=reduction)
    if kind == "asynchronous_halving":
        return AsynchronousHalving(window, shares, goal=goal, reduction=reduction)
    return Median(window, shares, goal=goal) if kind == "median" else Pruning(window, goal=goal)


def stops_of(shares: Sequence[float], iterations: int, every: int) -> list[int]:
    """The iterations of rungs: evaluations at these shares, without any at the end."""
    found = (max(1, ceil(share * iterations / every)) * every for share in shares)
    return [stop for stop in found if stop < iterations]


class Ranking:
    """The values of trials at a rung, or at their ends before it, ordered by the goal."""

    def __init__(self, rung: int, goal: Goal) -> None:
        self._rung, self._goal = rung, goal
        self._count = 0
        self._values: list[float] = []

    def of_first(self, count: int, trials: Sequence[Trial]) -> Sequence[float]:
        """Those of the first trials, all of which have ended; only new ones are looked at."""
        for value in self.of(trials[self._count : count]):
            insort(self._values, value)
        for value in self.of(trials[count : self._count]):
            del self._values[bisect_left(self._values, value)]
        self._count = count
        return self._values

    def of(self, trials: Sequence[Trial]) -> list[float]:
        """Those of any trials."""
        found = (trial.value_at(self._rung) for trial in trials if trial.same_as is None)
        return sorted(self._goal.order(v) for v in found if v is not None and not isnan(v))
