"""The runs of a search: those of its trials, one sampler after another, and those of the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean, median

from nnrun.errors import ConfigError, NnrunError
from nnrun.metrics.table import LOSS
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import HISTORY, load_history, refuse_changed
from nnrun.runs.storage.store import Store
from nnrun.search.proposer import Proposer
from nnrun.search.settings import Draw, Label, Setting
from nnrun.search.trials import Pace, Pruning, Ranking, Trial, TrialStatus, is_beyond, stops_of
from nnrun.sweeps.planning.plan import PlannedRun, RunSource, Variant

# The trials of one sampler: which run comes next, and what follows from its result.
#
# A trial is proposed when the first `known` trials have ended, and by the results of these alone.
# So the trials are the same for any number of workers and any order of results. An asynchronous
# track proposes by all that has ended, and depends on that order.

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


# The runs of a search, for the loop of a sweep: those of trials, and those of the end.


@dataclass(frozen=True)
class Results:
    """Reads values of runs; `split` is the one whose rows judge trials."""

    store: Store
    split: str

    def value(self, run: PlannedRun, record: RunRecord) -> float | None:
        """The metric of a run at its end, or at the rung where it has paused; None if undefined."""
        metric = run.variant.metric
        if record.status == "interrupted" or is_beyond(run, record):
            # The loss is the log loss where trials may pause by it.
            column = f"{self.split}_{LOSS if metric == 'log_loss' else metric}"
            return self._at(run, column)
        return (record.metrics.get(self.split) or {}).get(metric)

    def reached(self, run: PlannedRun) -> RunRecord | None:
        """The record of a stored run that has reached its rung, or its end before that."""
        record = self.stored(run)
        if record is None or record.status != "interrupted":
            return record
        there = run.until is not None and int(record.timing["iterations"]) >= run.until
        return record if there else None

    def stored(self, run: PlannedRun) -> RunRecord | None:
        """The record of a run that has ended, or been interrupted."""
        stored = self.store.run(run.variant.name, run.run_id).read()
        if stored is None or stored.problem is not None:
            return None
        is_kept = stored.complete or (stored.record and stored.record.status == "interrupted")
        return stored.record if is_kept else None

    def _at(self, run: PlannedRun, column: str) -> float | None:
        """A number of the learning curve at the rung; a UsageError if that has changed."""
        folder, record = self.store.folder(run.variant.name, run.run_id), self.stored(run)
        if record is not None:
            refuse_changed(folder, record, HISTORY)
        for row in load_history(folder):
            if row["iteration"] == run.until:
                return float(row[column])
        raise NnrunError(f"{run.key}: its learning curve has no row for iteration {run.until}")


class SearchRuns(RunSource):
    """Runs of tracks: of the first, and where its results have to come first, of the next.

    Args:
        search: the identity of the search.
        tracks: in the order of their importance.
        results: reads stored runs.
        changed: called with a trial that has ended, or reached a rung, and before it goes on.
        pace: measures how long runs take.
        is_overdue: returns whether runs in hand have to stop, where there is a time. No run may
            wait for a worker then, where it could begin after the end.
    """

    def __init__(
        self,
        search: str,
        tracks: Sequence[Track],
        results: Results,
        changed: Callable[[Trial], None],
        pace: Pace,
        *,
        is_overdue: Callable[[], bool] | None = None,
    ) -> None:
        self.search = search
        self.tracks = tracks
        self._results = results
        self._changed = changed
        self._pace = pace
        self._is_overdue = is_overdue
        self._issued: dict[int, tuple[PlannedRun, Track]] = {}

    def next(self, at_a_time: int) -> PlannedRun | None:
        while self._is_overdue is None or len(self._issued) < at_a_time:
            found = self._first(at_a_time)
            if found is None:
                return None
            run, track = found
            late = track.over
            if run.until is None and not late:
                return run
            # The loop would train such a run anew: it looks for runs at their ends alone.
            record = self._results.reached(run)
            if late and record is None:
                self._out_of_time(run)
            elif run.until is None or record is None:
                return run
            else:
                self.ended(run, record)
        return None

    def ended(self, run: PlannedRun, record: RunRecord) -> None:
        self._changed(self._track_of(run).ended(run, record))

    def failed(self, run: PlannedRun, reason: str) -> None:
        self._changed(self._track_of(run).failed(run, reason))

    def overdue(self) -> bool:
        return bool(self._issued) and self._is_overdue is not None and self._is_overdue()

    def give_up(self) -> bool:
        """End the trials of runs that were stopped as overdue; returns whether there were any."""
        stopped = [run for run, _ in self._issued.values()] if self.overdue() else []
        for run in stopped:
            self._out_of_time(run)
        return bool(stopped)

    def _out_of_time(self, run: PlannedRun) -> None:
        track, record = self._track_of(run), self._results.stored(run)
        if record is not None:
            track.count(run, record, record.timing["iterations"])
        self._changed(track.failed(run, "", "stopped"))

    def _first(self, at_a_time: int) -> tuple[PlannedRun, Track] | None:
        for track in self.tracks:
            run = track.next(at_a_time)
            if run is not None:
                self._issued[id(run)] = run, track
                self._pace.begin(run, at_a_time)
                return run, track
        return None

    def _track_of(self, run: PlannedRun) -> Track:
        """The track that asked for this run; another may have asked for the same."""
        self._pace.end(run)
        return self._issued.pop(id(run))[1]


class FinalRuns(RunSource):
    """Runs of settings with the same seeds, seed by seed, as long as there is time for them.

    `search` is the identity of the search. `is_late` returns whether runs have to stop where so
    many seeds are complete, and runs have taken so many seconds; `was_late` is whether that, or
    the end of the time, has left some out.
    """

    def __init__(
        self,
        search: str,
        variants: Sequence[Variant],
        results: Results,
        pace: Pace,
        is_late: Callable[[int, float], bool],
    ) -> None:
        self.search = search
        self.seeds = variants[0].seeds
        self._left = deque(sorted(chain(*(one.runs() for one in variants)), key=_order))
        self._results = results
        self._pace = pace
        self._is_late = is_late
        self._in_hand: dict[int, PlannedRun] = {}
        self._training: set[int] = set()
        self._seconds: list[float] = []
        self.was_late = False

    @property
    def complete(self) -> int:
        """Number of seeds whose runs have all ended."""
        missing = {run.seed for run in (*self._left, *self._in_hand.values())}
        return next((at for at, seed in enumerate(self.seeds) if seed in missing), len(self.seeds))

    def next(self, at_a_time: int) -> PlannedRun | None:
        if not self._left or len(self._in_hand) >= at_a_time:
            return None
        is_stored = self._results.reached(self._left[0]) is not None
        if not is_stored and (self._late() or self._pace.clock.is_over()):
            self.was_late = True
            return None
        run = self._left.popleft()
        self._in_hand[id(run)] = run
        if not is_stored:
            self._training.add(id(run))
            self._pace.begin(run, at_a_time)
        return run

    def overdue(self) -> bool:
        return bool(self._training) and self._late()

    def ended(self, run: PlannedRun, record: RunRecord) -> None:
        self._remove(run)

    def failed(self, run: PlannedRun, reason: str) -> None:
        self._remove(run)

    def _remove(self, run: PlannedRun) -> None:
        del self._in_hand[id(run)]
        if id(run) in self._training:
            self._training.remove(id(run))
            self._seconds.append(self._pace.end(run))

    def _late(self) -> bool:
        # The first run of a worker takes longer.
        seconds = median(self._seconds or [0.0])
        self.was_late = self.was_late or self._is_late(self.complete, seconds)
        return self.was_late


def _order(run: PlannedRun) -> tuple[int, int]:
    return run.seed, run.variant.number
