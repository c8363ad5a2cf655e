"""The trials of one sampler: which run comes next, and what follows from its result.

A trial is proposed when the first `known` trials have ended, and by the results of these alone. So
the trials are the same for any number of workers and any order of results. An
asynchronous track proposes by all that has ended, and depends on that order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from nnrun.errors import ConfigError, NnrunError
from nnrun.runs.record import RunRecord
from nnrun.search.choices import Draw, Label, Setting
from nnrun.search.proposer import Proposer
from nnrun.search.trials import Pruning, Ranking, Trial, TrialStatus, is_beyond, stops_of
from nnrun.sweeps.planning.plan import PlannedRun

# After this many proposals in a row that cannot be trained, or repeat earlier trials, there are no
# more.
_MOST_IN_VAIN = 50


class Track:
    """The trials of one sampler.

    Args:
        proposer: of their settings.
        pruning: that ends some of them early.
        prepare: makes the setting of a proposal.
        most: how many trials there may be; None for as many as there is time for.
        is_open: returns whether there is time for more.
        values: reads the value of a run that has ended, or paused.
        asynchronous: whether to propose by all trials that have ended.
        proposed: called before the runs of a trial begin.
        stored: the parameters of trials that earlier calls have proposed. These are proposed again
            regardless of the time; an asynchronous track takes the parameters as they are.
    """

    def __init__(
        self,
        proposer: Proposer,
        pruning: Pruning,
        prepare: Callable[[int, Draw], Setting],
        most: int | None,
        is_open: Callable[[], bool],
        values: Callable[[PlannedRun, RunRecord], float | None],
        *,
        asynchronous: bool = False,
        stored: Sequence[Mapping[str, Label]] = (),
        proposed: Callable[[], None] = lambda: None,
    ) -> None:
        self.trials: list[Trial] = []
        self._proposer = proposer
        self._pruning = pruning
        self._prepare = prepare
        limits = [limit for limit in (most, proposer.most) if limit is not None]
        self.most = min(limits, default=None)
        self._is_open = is_open
        self._values = values
        self._asynchronous = asynchronous
        self._stored = stored
        self._proposed = proposed
        self._untold: dict[int, Trial] = {}  # the others have ended, and the proposer knows how
        self._rankings = [Ranking(rung, pruning.goal) for rung in range(len(pruning.shares))]
        self._ready: deque[PlannedRun] = deque()
        self._by_key: dict[str, Trial] = {}
        self._in_vain = 0
        self._over = False

    @property
    def over(self) -> bool:
        """Whether its time is over, once and for all."""
        self._over = self._over or not self._is_open()
        return self._over

    @property
    def closed(self) -> bool:
        """Whether no more trials will be proposed."""
        full = self.most is not None and len(self.trials) >= self.most
        if full or self._in_vain >= _MOST_IN_VAIN:
            return True
        return len(self.trials) >= len(self._stored) and self.over

    @property
    def done(self) -> bool:
        """Whether all trials have ended, and no more will be proposed."""
        return self.closed and all(trial.ended for trial in self._untold.values())

    def next(self, most: int) -> PlannedRun | None:
        """The next run; None if results have to come first, or nothing is left.

        An asynchronous track has at most `most` trials in progress.
        """
        while not self._ready:
            if self.closed:
                self._decide()
                break
            if not self._may_propose(most):
                break
            self._propose()
        return self._ready.popleft() if self._ready else None

    def ended(self, run: PlannedRun, record: RunRecord) -> Trial:
        """A run has ended, or paused at its rung; returns its trial.

        A stored run that has trained beyond the rung counts as paused there.
        """
        trial = self._by_key[run.key]
        paused = record.status == "interrupted" or is_beyond(run, record)
        stop = run.until if paused else None
        self.count(run, record, record.timing["iterations"] if stop is None else stop)
        if record.status == "diverged" and not paused:
            return self.failed(run, record.error or "it diverged", "diverged")
        value = self._values(run, record)
        if value is None:
            return self.failed(run, f"its {run.variant.metric} is undefined")
        trial.reached[run.key] = value
        if not paused:
            trial.ends[run.key] = value
        self._look(trial)
        return trial

    def count(self, run: PlannedRun, record: RunRecord, iterations: int) -> None:
        """Count the updates of a run, and the time that it has trained."""
        trial, timing = self._by_key[run.key], record.timing
        seconds = timing["train_seconds"] + timing["evaluation_seconds"]
        trial.progress[run.key] = (int(iterations), seconds)
        trial.started = min(filter(None, (trial.started, record.started)), default="")

    def failed(self, run: PlannedRun, reason: str, status: TrialStatus = "failed") -> Trial:
        """A run could not be trained, diverged, or is out of time, which ends its trial."""
        trial = self._by_key[run.key]
        if not trial.ended:
            self._end(trial, status, reason)
            self._ready = deque(ready for ready in self._ready if ready.key not in trial.keys)
            self._decide()
        while self.trials and self.trials[-1].never_began:
            self._untold.pop(self.trials.pop().number, None)
        return trial

    def _may_propose(self, most: int) -> bool:
        if self._asynchronous:
            return sum(not trial.ended for trial in self._untold.values()) < max(1, most)
        return all(trial.ended for trial in self._known(len(self.trials)))

    def _propose(self) -> None:
        number = len(self.trials)
        for trial in self._known(number):
            if trial.ended:
                del self._untold[trial.number]
                self._proposer.tell(trial.number, trial.value, dict(enumerate(trial.curve)))
        again = self._asynchronous and number < len(self._stored)
        draw = self._proposer.propose(number, self._stored[number] if again else None)
        trial = Trial(number, draw.choice, draw.params)
        self.trials.append(trial)
        self._untold[number] = trial
        try:
            setting = self._prepare(number, draw)
        except NnrunError as error:
            self._in_vain += 1
            reason = error.in_short if isinstance(error, ConfigError) else str(error)
            self._end(trial, "failed", reason)
            return
        trial.runs, trial.iterations = [*setting.variant.runs()], setting.iterations
        trial.stops = stops_of(self._pruning.shares, setting.iterations, setting.evaluate_every)
        first = self._by_key.setdefault(trial.runs[0].key, trial)
        if first is not trial:
            self._in_vain += 1
            trial.same_as = first.number
            if first.ended:
                self._end(trial, first.status, first.reason)
            return
        self._in_vain = 0
        self._by_key |= dict.fromkeys(trial.keys, trial)
        self._ready += trial.tasks()
        self._proposed()

    def _known(self, number: int) -> list[Trial]:
        """The trials by which this one is proposed, of those that the proposer does not know."""
        most = number if self._asynchronous else self._pruning.known(number)
        return [trial for trial in self._untold.values() if trial.number < most]

    def _look(self, trial: Trial) -> None:
        """What follows where all runs of a trial are at its rung."""
        if trial.ended or not trial.reached.keys() >= trial.keys:
            return
        value = fmean(trial.reached[key] for key in sorted(trial.keys))
        if trial.ends.keys() >= trial.keys:
            trial.value = value
            self._end(trial, "completed")
        else:
            trial.curve.append(value)
            trial.waits = True
        self._decide()

    def _decide(self) -> None:
        """Let trials that wait at their rungs go on, or end them, until nothing changes."""
        last, changed = self.closed, True
        while changed:
            changed = False
            for trial in self._untold.values():
                if not trial.waits:
                    continue
                goes_on = self._pruning.goes_on(trial, self.trials, self._others(trial), last=last)
                changed |= goes_on is not None
                if goes_on:
                    self._promote(trial)
                elif goes_on is not None:
                    self._end(trial, "pruned")

    def _others(self, trial: Trial) -> Sequence[float]:
        """The values by which a decision about this trial is made; of groups there are none."""
        if self._pruning.in_groups:
            return ()
        ranking = self._rankings[trial.rung]
        if self._asynchronous:
            return ranking.of([one for one in self.trials if one is not trial])
        return ranking.of_first(self._pruning.known(trial.number), self.trials)

    def _promote(self, trial: Trial) -> None:
        stop = trial.until
        trial.rung += 1
        if trial.until is not None and trial.until == stop:  # no evaluation is between the two
            trial.curve.append(trial.curve[-1])
            return
        trial.waits = False
        trial.reached = {**trial.ends}
        self._ready += trial.tasks()

    def _end(self, trial: Trial, status: TrialStatus, reason: str = "") -> None:
        trial.status, trial.reason, trial.waits = status, reason, False
        if trial.same_as is not None:
            first = self.trials[trial.same_as]
            trial.value, trial.curve = first.value, first.curve
        for copy in self._untold.values():
            if copy.same_as == trial.number and not copy.ended:
                self._end(copy, status, reason)
