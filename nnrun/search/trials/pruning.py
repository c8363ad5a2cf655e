"""Which trials end early, by their values at rungs on the way.

The trials that a decision takes into account are fixed by the number of the trial, not by which
trials have ended: so it is the same for any number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

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
    """

    window: int
    shares: Sequence[float] = ()
    in_groups: bool = False

    def known(self, number: int) -> int:
        """How many of the first trials have to end before this one is proposed."""
        return max(0, number - self.window + 1)

    def goes_on(self, trial: Trial, trials: Sequence[Trial], *, last: bool) -> bool | None:
        """Whether a trial goes on from the rung that it has reached; None if it has to wait.

        `trials` are, by number, the others among those that it may know of; `last` is whether no
        more will be proposed.
        """
        return True


@dataclass(frozen=True)
class Median(Pruning):
    """A trial ends at a rung where it is worse than the median of those before it."""

    goal: Goal = Goal(maximize=False)

    def goes_on(self, trial: Trial, trials: Sequence[Trial], *, last: bool) -> bool | None:
        values = _values_at(trials, trial.rung)
        if len(values) < _LEAST:
            return True
        own = self.goal.order(trial.curve[trial.rung])
        return own <= median(map(self.goal.order, values))


@dataclass(frozen=True)
class AsynchronousHalving(Pruning):
    """A trial goes on where it is among the best of those before it, one in `reduction`."""

    goal: Goal = Goal(maximize=False)
    reduction: int = 3

    def goes_on(self, trial: Trial, trials: Sequence[Trial], *, last: bool) -> bool | None:
        values = [self.goal.order(value) for value in _values_at(trials, trial.rung)]
        if len(values) < self.reduction:
            return True
        own = self.goal.order(trial.curve[trial.rung])
        better = sum(value < own for value in values)
        return better < max(1, (len(values) + 1) // self.reduction)


@dataclass(frozen=True)
class Halving(Pruning):
    """Trials in groups: of those of a group at a rung, one in `reduction` goes on."""

    in_groups: bool = True
    goal: Goal = Goal(maximize=False)
    reduction: int = 3

    @property
    def group(self) -> int:
        """So many trials that one is left at the end."""
        return int(self.reduction ** len(self.shares))

    def known(self, number: int) -> int:
        return number // self.group * self.group

    def goes_on(self, trial: Trial, trials: Sequence[Trial], *, last: bool) -> bool | None:
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
    return Median(window, shares, goal=goal) if kind == "median" else Pruning(window)


def stops_of(shares: Sequence[float], iterations: int, every: int) -> list[int]:
    """The iterations of rungs: evaluations at these shares, without any at the end."""
    found = (max(1, ceil(share * iterations / every)) * every for share in shares)
    return [stop for stop in found if stop < iterations]


def _values_at(trials: Sequence[Trial], rung: int) -> list[float]:
    """The values of these trials at a rung, or at their ends before it."""
    found = (trial.value_at(rung) for trial in trials if trial.same_as is None)
    return [value for value in found if value is not None]
