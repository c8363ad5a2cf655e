"""The time of a search, and how long its runs take by the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import mul
from time import monotonic

from nnrun.search.trials.trial import Trial
from nnrun.sweeps.planning.plan import PlannedRun, Variant

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
