"""The final comparison: the best settings on fresh seeds, with the default beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nnrun.search.settings import Setting
from nnrun.search.trials.pruning import Goal
from nnrun.search.trials.trial import Trial
from nnrun.sweeps.board.rows import Group, Row

Origin = Literal["search", "default", "random"]


@dataclass(frozen=True)
class Finalist:
    """A setting of the final comparison.

    Args:
        origin: the search, the config's own settings, or the random search beside.
        number: of its trial; None for the config's own settings.
        choice: the value of each dotted key.
        values: what replaces parts of the config.
        setting: with its runs on fresh seeds.
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
