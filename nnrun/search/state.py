"""What a search has come to, and what is left of its budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from nnrun import __version__
from nnrun.config.schema.search import Range
from nnrun.runs.storage.sealed import sealed_json
from nnrun.runs.storage.store import Store
from nnrun.search.ensemble import MOST
from nnrun.search.plan import SearchPlan
from nnrun.search.settings import Label, Setting, labels_of, parameters_of
from nnrun.search.trials import Clock, Goal, Pace, Trial
from nnrun.sweeps.board.best import DAMAGE, FILE, SCHEMA_VERSION
from nnrun.sweeps.board.means import Summary
from nnrun.sweeps.board.rows import Group, Leaderboard, Row

Origin = Literal["search", "default", "random", "ensemble"]


@dataclass(frozen=True)
class Finalist:
    """A setting of the final comparison, with its runs on fresh seeds.

    `origin` is the search, the config's own settings, the random search beside, or an ensemble of
    trials; `number` that of its trial, if it has one. `choice` has the value of each dotted key,
    `values` what replaces parts of the config.
    """

    origin: Origin
    number: int | None
    choice: Mapping[str, Any]
    values: Mapping[str, Any]
    setting: Setting

    @property
    def run_ids(self) -> list[str]:
        """Ids of its runs."""
        return [run.run_id for run in self.setting.variant.runs()]


def best_trials(trials: Sequence[Trial], goal: Goal, most: int) -> list[Trial]:
    """The best completed trials with different settings, the best first."""
    completed = [t for t in trials if t.value is not None and t.same_as is None]
    ranked = sorted(completed, key=lambda trial: (goal.order(trial.value or 0.0), trial.number))
    return ranked[:most]


def winner_of(finalists: Sequence[Finalist], group: Group) -> tuple[Finalist, Row] | None:
    """The first of the board; None where no run has completed."""
    row = group.first_network
    if row is None or row.best_run is None:
        return None
    run_id = row.best_run.partition("/")[2]
    return next(finalist for finalist in finalists if run_id in finalist.run_ids), row


def different(finalists: Iterator[Finalist]) -> list[Finalist]:
    """Each setting once: the first that has it."""
    known: dict[tuple[str, ...], Finalist] = {}
    for finalist in finalists:
        known.setdefault(tuple(finalist.run_ids), finalist)
    return [*known.values()]


@dataclass
class SearchState:
    """The state of a search, at any time.

    Args:
        plan: of the search.
        trials: of its sampler.
        random: of the random search beside.
        seconds: that it has taken, over all its calls.
        final: how many of the best trials, and how many seeds, the final comparison has.
        finalists: of it.
        board: its leaderboard, which has one group.
        winner: its first row, with the setting.
        test: the winner's result on the test rows, and the runs that have it.
        importance: the share of the spread of values that each parameter explains.
        ended: when it was finished; empty before.
    """

    plan: SearchPlan
    trials: Sequence[Trial] = ()
    random: Sequence[Trial] = ()
    seconds: float = 0.0
    final: tuple[int, int] | None = None
    finalists: Sequence[Finalist] = ()
    board: Leaderboard | None = None
    winner: tuple[Finalist, Row] | None = None
    test: tuple[Summary, Sequence[str]] | None = None
    importance: Mapping[str, float] = field(default_factory=dict)
    ended: str = ""

    @property
    def group(self) -> Group | None:
        """The rows of the final comparison."""
        return None if self.board is None else self.board.groups[0]

    @property
    def best(self) -> Trial | None:
        """The best trial so far."""
        return next(iter(best_trials(self.trials, self.plan.goal, 1)), None)

    def to_dict(self) -> dict[str, Any]:
        """The state as JSON data."""
        plan, variant, block = self.plan, self.plan.default.variant, self.plan.block
        final = None if self.final is None else dict(zip(("top", "seeds"), self.final, strict=True))
        return {
            "schema_version": SCHEMA_VERSION,
            "nnrun_version": __version__,
            "name": plan.name,
            "identity": plan.identity,
            "status": "finished" if self.ended else "unfinished",
            "ended": self.ended or None,
            "seconds": self.seconds,
            "dataset": {"name": variant.dataset, "sha256": variant.sha256},
            "metric": variant.metric,
            "larger_is_better": variant.larger_is_better,
            "judged_by": plan.settings.judging.split,
            "seeds": [*plan.seeds],
            "sampler": block.sampler,
            "pruning": block.pruning,
            "window": block.window,
            "asynchronous": plan.asynchronous,
            "budget": {"trials": plan.trials, "seconds": block.time},
            "parameters": _parameters(plan),
            "trials": [_trial(trial) for trial in self.trials],
            "random": [_trial(trial) for trial in self.random],
            "saved": saved(self.trials),
            "importance": dict(self.importance),
            "final": final,
            "finalists": [_finalist(finalist) for finalist in self.finalists],
            "board": None if self.group is None else asdict(self.group),
            "winner": self._winner(),
            "test": self._test(),
            **({} if plan.tried is None else {"tried": plan.tried}),
        }

    def _winner(self) -> dict[str, Any] | None:
        if self.winner is None:
            return None
        finalist, row = self.winner
        found = {"mean": row.mean, "sd": row.sd, "ci_low": row.ci_low, "ci_high": row.ci_high}
        return {**_finalist(finalist), **found, "tied": row.tied}

    def _test(self) -> dict[str, Any] | None:
        if self.test is None:
            return None
        summary, run_ids = self.test
        return {
            "metric": self.plan.default.variant.metric,
            **asdict(summary),
            "run_ids": [*run_ids],
        }


def saved(trials: Iterable[Trial]) -> dict[str, float]:
    """The updates that were made, in full trials, and the share that pruning has saved."""
    own = [t for t in trials if t.same_as is None and t.runs and t.status != "stopped"]
    made = sum(trial.share for trial in own)
    return {
        "full_trials": made,
        "share": 1 - made / len(own) if own else 0.0,
        "pruned": sum(trial.status == "pruned" for trial in own),
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "choice": dict(trial.choice),
        "params": dict(trial.params),
        "value": trial.value,
        "status": trial.status,
        "reason": trial.reason or None,
        "same_as": trial.same_as,
        "run_ids": trial.run_ids,
        "curve": [
            {"iteration": stop, "value": value}
            for stop, value in zip(trial.stops, trial.curve, strict=False)
        ],
        "share": trial.share,
        "started": trial.started or None,
        "seconds": trial.seconds,
    }


def _finalist(finalist: Finalist) -> dict[str, Any]:
    return {
        "origin": finalist.origin,
        "number": finalist.number,
        "choice": dict(finalist.choice),
        "run_ids": finalist.run_ids,
    }


def _parameters(plan: SearchPlan) -> list[dict[str, Any]]:
    """What may be chosen, for charts: the names are those in `params` of trials."""
    found: list[dict[str, Any]] = []
    for name, among in parameters_of(plan.space).items():
        if isinstance(among, Range):
            found.append({"name": name, "kind": "range", **asdict(among)})
        else:
            found.append({"name": name, "kind": "choice", "options": labels_of(among)})
    return found


def write_search(store: Store, state: SearchState) -> None:
    """Write the state of a search; an OSError if that fails."""
    store.write({FILE: sealed_json(state.to_dict())}, state.plan.name)


@dataclass(frozen=True)
class Before:
    """What earlier calls of the same search have come to.

    Args:
        seconds: that they took.
        trials: the parameters of trials that were proposed.
        random: of those of the random search beside.
        final: how many settings and seeds the final comparison has, if it has begun.
        limit: of the seconds, if there was one.
    """

    seconds: float = 0.0
    trials: Sequence[Mapping[str, Label]] = ()
    random: Sequence[Mapping[str, Label]] = ()
    final: tuple[int, int] | None = None
    limit: float | None = None

    @classmethod
    def of(cls, found: Mapping[str, Any] | None, identity: str) -> Before:
        """Earlier trials by the content of search.json; nothing of another search."""
        try:
            if found is None or found["identity"] != identity:
                return cls()
            trials, random = ([dict(t["params"]) for t in found[k]] for k in ("trials", "random"))
            final = found["final"]
            size = None if final is None else (int(final["top"]), int(final["seeds"]))
            limit = found["budget"]["seconds"]
            return cls(max(0.0, float(found["seconds"])), trials, random, size, limit)
        except DAMAGE:
            return cls()


# What the time of a search is enough for: trials, and how much of a final comparison.

# The final comparison of full size gets no more than this share of the time from the trials.
_MOST_RESERVED = 0.4
# An ensemble takes part if there is time for it on so many seeds.
_FEWEST_OF_ENSEMBLE = 3
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
        networks: of an ensemble that is compared, if one is.
    """

    state: SearchState
    clock: Clock
    pace: Pace
    before: Before
    networks: int = 0
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
        return replace(self, networks=MOST)._seconds(best, plan.block.fresh_seeds)

    def adds(self, networks: int, trials: Sequence[Trial]) -> bool:
        """Whether there is time for an ensemble beside these trials, which is added then."""
        wanted, left = replace(self, networks=networks), self.clock.left
        seeds = min(_FEWEST_OF_ENSEMBLE, self.state.plan.block.fresh_seeds)
        fits = left is None or not self._ended() or wanted._seconds(trials, seeds) <= left
        self.networks = networks if fits else 0
        return fits

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
        if self.networks:
            costs.append(max(costs) * max(1.0, self.networks / plan.networks))
        return [cost / len(plan.seeds) for cost in costs]
