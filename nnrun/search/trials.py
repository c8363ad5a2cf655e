"""Trials: a setting, the runs that judge it, how long they take, when one ends early."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, isnan
from operator import mul
from time import monotonic
from typing import Any, Literal

from nnrun.runs.record import RunRecord
from nnrun.search.settings import Label
from nnrun.sweeps.planning.plan import PlannedRun, Variant

TrialStatus = Literal["running", "completed", "pruned", "diverged", "failed", "stopped"]
"""How a trial ended: `pruned` by its values, `stopped` by the end of the time."""


@dataclass
class Trial:
    """A trial.

    Args:
        number: from 0 on, in the order of proposals.
        choice: the value of each dotted key.
        params: the same as parameters of Optuna.
        runs: that judge it; none if it could not be prepared.
        iterations: of each run.
        stops: the iteration of each rung, where its runs pause.
        same_as: the number of an earlier trial with the same runs.
        rung: the next one to reach; `len(stops)` is the end.
        curve: the values at the rungs that it reached.
        value: at its end.
        waits: for a decision at its rung.
        reached: the value of each run at this rung, by its key.
        ends: likewise of the runs that have ended.
        progress: updates and seconds of each run.
        started: when the first of its runs began; empty before.
    """

    number: int
    choice: Mapping[str, Any]
    params: Mapping[str, Label]
    runs: list[PlannedRun] = field(default_factory=list)
    iterations: int = 0
    stops: list[int] = field(default_factory=list)
    same_as: int | None = None
    status: TrialStatus = "running"
    reason: str = ""
    rung: int = 0
    curve: list[float] = field(default_factory=list)
    value: float | None = None
    waits: bool = False
    reached: dict[str, float] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)
    progress: dict[str, tuple[int, float]] = field(default_factory=dict)
    started: str = ""

    @property
    def ended(self) -> bool:
        """Whether no run of it will train any more."""
        return self.status != "running"

    @property
    def never_began(self) -> bool:
        """Whether there was no time for any of it."""
        return self.status == "stopped" and not self.progress

    @property
    def until(self) -> int | None:
        """The iteration at which its runs pause next; None for their end."""
        return self.stops[self.rung] if self.rung < len(self.stops) else None

    @property
    def keys(self) -> set[str]:
        """Keys of its runs."""
        return {run.key for run in self.runs}

    @property
    def run_ids(self) -> list[str]:
        """Ids of its runs."""
        return [run.run_id for run in self.runs]

    @property
    def share(self) -> float:
        """The share of its updates that were made; early stopping and failures make all."""
        if self.status not in ("pruned", "stopped") or not self.runs:
            return float(self.same_as is None)
        made = sum(iterations for iterations, _ in self.progress.values())
        return made / (self.iterations * len(self.runs))

    @property
    def seconds(self) -> float:
        """Seconds that its runs have trained."""
        return sum(seconds for _, seconds in self.progress.values())

    def value_at(self, rung: int) -> float | None:
        """Its value at a rung; that at its end where it ended before."""
        return self.curve[rung] if rung < len(self.curve) else self.value

    def tasks(self) -> list[PlannedRun]:
        """What its runs train next: to the next rung, or to their end."""
        return [replace(run, until=self.until) for run in self.runs if run.key not in self.ends]


def is_beyond(run: PlannedRun, record: RunRecord) -> bool:
    """Whether a stored run has trained longer than to the rung that is asked for."""
    return run.until is not None and int(record.timing["iterations"]) > run.until


# The time of a search, and how long its runs take by the clock.

# Later workers take this share of the first ones' time to start, since files and compiled code are
# in caches by then: 4.4 s after 8.1 s on a busy machine.
_AGAIN = 0.5


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


@dataclass
class Pace:
    """Seconds of runs, from when they are handed out to their results: beside each other, on a
    machine that may be busy, and with all that is not training.

    Runs are handed out in parts where trials may end early. What the first part that a worker gets
    takes beyond the others is the start of that worker.

    Args:
        clock: of the search.
        workers: how many runs are trained at a time.
    """

    clock: Clock
    workers: int = 1
    _begun: dict[str, float] = field(default_factory=dict)
    _took: dict[str, float] = field(default_factory=dict)
    _firsts: dict[str, float] = field(default_factory=dict)
    # By the number of trials: how many updates they made does not change once they have ended.
    _sums: tuple[int, tuple[float, float, float]] = (0, (0.0, 0.0, 0.0))

    def begin(self, run: PlannedRun, workers: int) -> None:
        """A part of a run is handed out."""
        self.workers = workers
        self._begun[run.key] = self.clock.used
        if len(self._firsts) < workers:
            self._firsts.setdefault(run.key, 0.0)

    def end(self, run: PlannedRun) -> float:
        """It has ended, paused or failed; returns its seconds."""
        seconds = self.clock.used - self._begun.pop(run.key, self.clock.used)
        if run.key in self._firsts and run.key not in self._took:
            self._firsts[run.key] = seconds
        self._took[run.key] = self._took.get(run.key, 0.0) + seconds
        return seconds

    def each(self, trials: Sequence[Trial]) -> float:
        """Seconds of a full trial, by what all of these took, pruned ones too."""
        seconds, share, _ = self._measured(trials)
        return seconds / max(1.0, share)

    def of(self, variant: Variant, trials: Sequence[Trial]) -> float:
        """Seconds of a setting on the seeds of a trial, by its estimate and these trials."""
        seconds, _, work = self._measured(trials)
        return variant.estimate.seconds * seconds / work if work else 0.0

    def of_trial(self, trial: Trial, trials: Sequence[Trial]) -> float:
        """Seconds of a setting that was a trial: as it took, without the start of a worker."""
        full = self.of(trial.runs[0].variant, trials)
        seconds, share = self._without_firsts(trial)
        return seconds + (trial.share - share) * full

    def starting(self, trials: Sequence[Trial]) -> float:
        """Seconds that the start of another worker takes, by the slowest of the first ones."""
        excesses = [0.0]
        for trial in trials:
            firsts = sum(run.key in self._firsts for run in trial.runs)
            if firsts:
                seconds, share = self._without_firsts(trial)
                expected = (trial.share - share) * self.of(trial.runs[0].variant, trials)
                excesses.append((self._seconds(trial) - seconds - expected) / firsts)
        return _AGAIN * max(excesses)

    def beside(self, seconds: Sequence[float]) -> float:
        """Seconds of runs beside each other; at most, in any order."""
        workers = max(1, min(self.workers, len(seconds)))
        longest = max(seconds, default=0.0)
        return sum(seconds) / workers + longest * (1 - 1 / workers)

    def _measured(self, trials: Sequence[Trial]) -> tuple[float, float, float]:
        """Seconds of trials, their shares of updates, and what these take by estimates; without
        first parts as soon as there are others.
        """
        if self._sums[0] != len(trials):
            parts = [self._without_firsts(trial) for trial in trials]
            if not sum(share for _, share in parts):
                parts = [(self._seconds(trial), trial.share) for trial in trials]
            shares = [share for _, share in parts]
            estimates = (trial.runs[0].variant.estimate.seconds for trial in trials)
            work = sum(map(mul, shares, estimates))
            self._sums = len(trials), (sum(seconds for seconds, _ in parts), sum(shares), work)
        return self._sums[1]

    def _without_firsts(self, trial: Trial) -> tuple[float, float]:
        """Seconds of a trial, and its share of updates, without first parts."""
        seconds, share = self._seconds(trial), trial.share
        for run in trial.runs:
            if run.key in self._firsts:
                seconds -= self._firsts[run.key]
                first = trial.stops[0] / trial.iterations if trial.stops else 1.0
                share -= first / len(trial.runs)
        return max(0.0, seconds), max(0.0, share)

    def _seconds(self, trial: Trial) -> float:
        """Seconds of all runs of a trial; those of earlier calls by what they trained."""
        taken = sum(self._took.get(run.key, 0.0) for run in trial.runs)
        return max(taken, trial.seconds)


# Which trials end early, by their values at rungs on the way.
#
# The trials that a decision takes into account are fixed by the number of the trial, not by which
# trials have ended: so it is the same for any number of workers.

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
        """Ranks of the first trials, all of which have ended; only new ones are looked at."""
        for value in self.of(trials[self._count : count]):
            insort(self._values, value)
        for value in self.of(trials[count : self._count]):
            del self._values[bisect_left(self._values, value)]
        self._count = count
        return self._values

    def of(self, trials: Sequence[Trial]) -> list[float]:
        """Ranks of any trials."""
        found = (trial.value_at(self._rung) for trial in trials if trial.same_as is None)
        return sorted(self._goal.order(v) for v in found if v is not None and not isnan(v))
