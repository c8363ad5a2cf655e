"""How much of the spread of results each parameter explains, by functional ANOVA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnrun.search.plan import SearchPlan
from nnrun.search.proposer import optuna, quietly
from nnrun.search.study import study_of
from nnrun.search.trial import Trial

_LEAST = 4


def importance_of(plan: SearchPlan, trials: Sequence[Trial]) -> Mapping[str, float]:
    """The share of each parameter that all completed trials have; empty for too few trials.

    Hutter, Hoos, Leyton-Brown: An Efficient Approach for Assessing Hyperparameter Importance, 2014.
    """
    completed = [trial for trial in trials if trial.value is not None]
    if len(completed) < _LEAST or len({trial.value for trial in completed}) == 1:
        return {}
    importance = optuna().importance
    with quietly():
        study = study_of(plan.name, plan.goal.maximize, plan.space, completed)
        evaluator = importance.FanovaImportanceEvaluator(seed=0)
        found: Mapping[str, float] = importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}
