"""What a search has come to: its trials, the final comparison, the winner; and its search.json."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nnrun import __version__
from nnrun.config.schema.search.distributions import Range
from nnrun.runs.storage.contents.sealed import sealed_json
from nnrun.runs.storage.store import Store
from nnrun.search.plan import SearchPlan
from nnrun.search.settings import Setting
from nnrun.search.spaces.choices import Label, labels_of, parameters_of
from nnrun.search.trials.pruning import Goal
from nnrun.search.trials.trial import Trial
from nnrun.sweeps.board.comparison.statistics import Summary
from nnrun.sweeps.board.from_store.searched import DAMAGE, FILE, SCHEMA_VERSION
from nnrun.sweeps.board.rows import Group, Leaderboard, Row

Origin = Literal["search", "default", "random"]


@dataclass(frozen=True)
class Finalist:
    """A setting of the final comparison, with its runs on fresh seeds.

    `origin` is the search, the config's own settings, or the random search beside; `number` that of
    its trial, None for the config's own settings. `choice` has the value of each dotted key,
    `values` what replaces parts of the config.
    """

    origin: Origin
    number: int | None
    choice: Mapping[str, Any]
    values: Mapping[str, Any]
    setting: Setting

    @property
    def run_ids(self) -> list[str]:
        """Of its runs."""
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
        """As JSON data."""
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
        """From the content of search.json; nothing of another search."""
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
