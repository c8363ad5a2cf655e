"""A search from its first trial to the winner's test result.

Nothing but runs decides how it goes on: the same proposals are made again, and runs that are stored
are not trained again. search.json says how much time is used, and for an asynchronous search which
settings were proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, Protocol

from nnrun.errors import NnrunError
from nnrun.runs.events import Listener
from nnrun.runs.record import now
from nnrun.runs.storage.store import Store
from nnrun.search.ensemble import LIBRARY, chosen_together, values_of_members
from nnrun.search.plan import SearchPlan
from nnrun.search.proposer import importance_of, make_proposer, seed_of
from nnrun.search.runs import FinalRuns, Results, SearchRuns, Track
from nnrun.search.settings import Draw, Setting, present
from nnrun.search.state import (
    Before,
    Budget,
    Finalist,
    Origin,
    SearchState,
    best_trials,
    different,
    winner_of,
    write_search,
)
from nnrun.search.trials import Clock, Pace, Trial
from nnrun.sweeps.active_runs import SweepProgress
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.planning.plan import Plan, RunSource, Variant

_WRITE_SECONDS = 0.5
# Writing search.json takes at most one in this many seconds.
_WRITE_SHARE = 20
# For the choice of workers, where only the time is limited.
_MANY = 1000
# Importances need less; where less is left, the next call adds them.
_IMPORTANCE_SECONDS = 3.0
# The number of no trial: its seed is that of the random search.
_OTHER = 2**31


class Runner(Protocol):
    """Trains the runs of a plan, or of a source, and returns when no more can be trained."""

    def __call__(self, plan: Plan, what: str, source: RunSource | None = None) -> SweepProgress: ...


class Search:
    """One search.

    Args:
        plan: of the search.
        store: where its runs and search.json are kept.
        runner: trains runs.
        stopped: returns whether to stop; the same search can be continued later.
        listener: gets `tried`; the events of runs go to that of the runner.
        before: the content of search.json, by which an earlier call is continued.
        command: for the board.
        started: when the time began, by the timer; by default now.
        timer: seconds since some moment.
    """

    def __init__(
        self,
        plan: SearchPlan,
        store: Store,
        runner: Runner,
        stopped: Callable[[], bool] = lambda: False,
        listener: Listener | None = None,
        before: Mapping[str, Any] | None = None,
        command: str = "",
        started: float | None = None,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self.plan = plan
        self.state = SearchState(plan)
        self._store = store
        self._results = Results(store, plan.settings.judging.split)
        self._runner = runner
        self._stopped = stopped
        self._listener = listener or Listener()
        self._command = command
        self._is_first = before is None
        self._before = Before.of(before, plan.identity)
        begun = timer() if started is None else started
        self.clock = Clock(plan.block.time, begun, self._before.seconds, timer)
        self._pace = Pace(self.clock)
        self._budget = Budget(self.state, self.clock, self._pace, self._before)
        self._next_write = 0.0
        self._values: dict[tuple[Origin, int], Draw] = {}
        self._tracks: list[Track] = []

    def run(self) -> SearchState:
        """Make all trials that are left, compare the best, and test the winner.

        Raises: NnrunError if no worker is left, or all trials have failed; what was finished is
        saved; OSError if search.json cannot be written.
        """
        plan = self.plan
        self._tracks = self._make_tracks()
        if self._is_first:
            self._write()  # before runs name the search, so that they never do without this file
        overdue = None if plan.block.time is None else self._budget.is_overdue
        runs = SearchRuns(
            plan.identity, self._tracks, self._results, self._note, self._pace, is_overdue=overdue
        )
        outlook = Plan([self._outlook()], open=plan.trials is None)
        self._runner(outlook, "trials", runs)
        while not self._stopped() and runs.give_up():
            self._runner(outlook, "trials", runs)
        if not all(track.done for track in self._tracks):
            self._write()
            return self.state
        if not self._has_best():
            self._write()
            return self.state
        self._compare()
        again = self._before.final is not None
        if not self._stopped() and (again or not self.clock.is_over(_IMPORTANCE_SECONDS)):
            self.state.importance = importance_of(self.state.to_dict())
        self._write()
        return self.state

    @property
    def most_trials(self) -> list[int | None]:
        """How many trials and random trials there may be; None for as many as there is time for."""
        return [track.most for track in self._tracks]

    def _make_tracks(self) -> list[Track]:
        plan = self.plan
        tracks = [self._track("search", plan.block.sampler, 0.5 if plan.has_random else 1.0)]
        self.state.trials = tracks[0].trials
        if plan.has_random:
            tracks.append(self._track("random", "random", 1.0))
            self.state.random = tracks[1].trials
        return tracks

    def _track(self, origin: Origin, sampler: str, part: float) -> Track:
        """The trials of a sampler, which may use so large a part of the time."""
        plan = self.plan
        seed = plan.seeds[0] if origin == "search" else seed_of(plan.seeds[0], _OTHER)
        proposer = make_proposer(
            sampler, plan.space, seed, maximize=plan.goal.maximize, trials=plan.trials
        )

        def prepare(number: int, draw: Draw) -> Setting:
            self._values[origin, number] = draw
            values = {**draw.values, "training.watch": False}  # only final runs are watched
            return plan.settings.make(number, draw.choice, values, plan.seeds)

        return Track(
            proposer, plan.pruning(), prepare, plan.trials,
            lambda: self._budget.has_time(part),
            self._results.value,
            asynchronous=plan.asynchronous,
            stored=self._before.trials if origin == "search" else self._before.random,
            proposed=self._write if plan.asynchronous else lambda: None,
        )  # fmt: skip

    def _outlook(self) -> Variant:
        """The config's own settings, standing for all trials: these take about as long."""
        plan = self.plan
        trials = (plan.trials or _MANY) * (1 + plan.has_random)
        variant = plan.default.variant
        return replace(variant, ended=trials * variant.planned)

    def _note(self, trial: Trial) -> None:
        if monotonic() > self._next_write:
            self._write()
        self._listener.tried(trial)

    def _write(self) -> None:
        begun = monotonic()
        self.state.seconds = self.clock.used
        write_search(self._store, self.state)
        ended = monotonic()
        self._next_write = ended + max(_WRITE_SECONDS, _WRITE_SHARE * (ended - begun))

    def _has_best(self) -> bool:
        """Whether a trial has completed; if none can, a NnrunError says why."""
        best, trials = self.state.best, self.state.trials
        failed = [trial for trial in trials if trial.reason]
        if best is None and failed and not any(trial.status == "stopped" for trial in trials):
            self._write()
            raise NnrunError(
                f"no trial has completed: trial {failed[0].number}: {failed[0].reason}"
            )
        return best is not None

    def _compare(self) -> None:
        """Train the best settings on fresh seeds, and test the first of them."""
        state, (top, seeds) = self.state, self._budget.final_size()
        trials = best_trials(state.trials, self.plan.goal, top)
        together = self._together() if len(trials) > 1 else []
        if not self._budget.adds(len(together), trials):
            together = []

        def is_late(complete: int, seconds: float) -> bool:
            if not complete:  # nothing could be tested
                return self._budget.is_late()
            expected = self._budget.seconds_of_test(trials, complete)
            return self.clock.is_over(max(expected, self._pace.beside([seconds] * complete)))

        def make(seeds: Sequence[int]) -> Sequence[Setting]:
            state.final = top, len(seeds)
            state.finalists = different(self._finalists(trials, together, seeds))
            return [finalist.setting for finalist in state.finalists]

        progress = self._in_time(make, self.plan.fresh_seeds[:seeds], "final comparison", is_late)
        if progress is None:
            return
        state.board = make_leaderboard(progress, self._command)
        found = winner_of(state.finalists, state.board.groups[0])
        if found is None:
            state.ended = now()
            return
        self._test(found[0])
        if state.test is not None or not self.plan.settings.judging.has_test:
            state.winner, state.ended = found, now()

    def _in_time(
        self,
        make: Callable[[Sequence[int]], Sequence[Setting]],
        seeds: Sequence[int],
        what: str,
        is_late: Callable[[int, float], bool],
    ) -> SweepProgress | None:
        """The runs of settings on as many of the seeds as there is time for.

        Returns None if it was stopped, runs are missing, or there is no time for a seed. `make`
        makes the settings for some seeds, and `is_late` is as for `FinalRuns`.
        """
        while seeds:
            variants = [setting.variant for setting in make(seeds)]
            runs = FinalRuns(self.plan.identity, variants, self._results, self._pace, is_late)
            progress = self._runner(Plan(variants), what, runs)
            if not progress.missing:
                return progress
            if self._stopped() or not runs.was_late:
                return None
            seeds = seeds[: runs.complete]
        return None

    def _together(self) -> list[Trial]:
        """The trials of an ensemble; none where the config has one already, or none is better."""
        plan = self.plan
        members = plan.default.config.get("members", 1)
        if isinstance(members, dict) and members["settings"]:
            return []
        trials = best_trials(self.state.trials, plan.goal, LIBRARY)
        values = {trial.number: self._values["search", trial.number].values for trial in trials}
        judging, datasets = plan.settings.judging, plan.settings.datasets
        return chosen_together(trials, values, plan.goal, judging.split, self._store, datasets)

    def _ensemble(self, number: int, trials: Sequence[Trial], seeds: Sequence[int]) -> Finalist:
        """The trials as members of one setting."""
        draws = [self._values["search", trial.number] for trial in trials]
        members = self.plan.default.config.get("members", 1)
        values = values_of_members([draw.values for draw in draws], members)
        names = ", ".join(str(trial.number) for trial in trials)
        choice = {**draws[0].choice, "members": f"trials {names}"}
        setting = self.plan.settings.make(number, choice, values, seeds)
        return Finalist("ensemble", None, choice, values, setting)

    def _finalists(
        self, trials: Sequence[Trial], together: Sequence[Trial], seeds: Sequence[int]
    ) -> Iterator[Finalist]:
        plan = self.plan
        found: list[tuple[Origin, Trial | None]] = [("search", trial) for trial in trials]
        found += [("random", trial) for trial in best_trials(self.state.random, plan.goal, 1)]
        for number, (origin, trial) in enumerate([*found, ("default", None)]):
            at = None if trial is None else trial.number
            own = present(plan.space.keys, plan.default.config)
            draw = Draw(own) if at is None else self._values[origin, at]
            setting = plan.settings.make(number, draw.choice, draw.values, seeds)
            yield Finalist(origin, at, draw.choice, draw.values, setting)
        if together:
            yield self._ensemble(len(found) + 1, together, seeds)

    def _test(self, winner: Finalist) -> None:
        """Evaluate the test rows by the winner's runs alone: these are trained again with them."""
        if not self.plan.settings.judging.has_test:
            return
        made: list[Setting] = []

        def make(seeds: Sequence[int]) -> Sequence[Setting]:
            made[:] = [
                self.plan.settings.make(0, winner.choice, winner.values, seeds, revealed=True)
            ]
            return made

        def is_late(complete: int, _: float) -> bool:
            return self.clock.is_over() if complete else self._budget.is_late()

        seeds = winner.setting.variant.seeds
        progress = self._in_time(make, seeds, "test of the winner", is_late)
        if progress is None:
            return
        row = make_leaderboard(progress, self._command).groups[0].rows[0]
        if row.test is not None:
            self.state.test = row.test, [run.run_id for run in made[0].variant.runs()]
