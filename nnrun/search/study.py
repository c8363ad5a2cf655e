"""The trials of a search as a study of Optuna."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnrun.config.schema.search.distributions import Choice, Range
from nnrun.search.parameters import parameters_of
from nnrun.search.proposer import optuna
from nnrun.search.space import Space, labels_of
from nnrun.search.trial import Trial


def study_of(
    name: str, maximize: bool, space: Space, trials: Sequence[Trial], storage: str | None = None
) -> Any:
    """A study with these trials.

    Args:
        name: of the study.
        maximize: its direction.
        space: that the trials are from.
        trials: those that have ended are in it.
        storage: the URL of its database; None for one in memory.
    """
    module = optuna()
    direction = "maximize" if maximize else "minimize"
    study = module.create_study(study_name=name, direction=direction, storage=storage)
    among = parameters_of(space)
    states = module.trial.TrialState
    ends = {"completed": states.COMPLETE, "pruned": states.PRUNED}
    for trial in trials:
        if not trial.ended:
            continue
        attributes = {"run_ids": trial.run_ids, "status": trial.status}
        study.add_trial(
            module.trial.create_trial(
                state=ends.get(trial.status, states.FAIL),
                value=trial.value,
                params=dict(trial.params),
                distributions={key: _distribution(module, among[key]) for key in trial.params},
                intermediate_values=dict(enumerate(trial.curve)),
                user_attrs=attributes,
            )
        )
    return study


def _distribution(module: Any, among: Range | Choice) -> Any:
    found = module.distributions
    if isinstance(among, Choice):
        return found.CategoricalDistribution(labels_of(among))
    if among.whole:
        step = int(among.step or 1)
        return found.IntDistribution(among.low, among.high, log=among.log, step=step)
    return found.FloatDistribution(among.low, among.high, log=among.log, step=among.step)
