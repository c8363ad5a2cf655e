"""The trials of a search as a study of Optuna, for its importances and its dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnrun.errors import UsageError
from nnrun.search.proposer import optuna, quietly

_ENDS = {"completed": "COMPLETE", "pruned": "PRUNED"}
_LEAST = 4


def importance_of(search: Mapping[str, Any]) -> dict[str, float]:
    """The share of the spread of values that each parameter of all trials explains.

    Empty where too few trials have completed, or all values are the same. By functional ANOVA:
    Hutter, Hoos, Leyton-Brown: An Efficient Approach for Assessing Hyperparameter Importance, 2014.
    """
    values = [trial["value"] for trial in search["trials"] if trial["status"] == "completed"]
    if len(values) < _LEAST or len({*values}) == 1:
        return {}
    importance = optuna().importance
    with quietly():
        evaluator = importance.FanovaImportanceEvaluator(seed=0)
        found = importance.get_param_importances(study_of(search), evaluator=evaluator)
    return {str(name): float(share) for name, share in found.items()}


def export_study(search: Mapping[str, Any], file: Path) -> None:
    """Write the trials as a database of Optuna, which optuna-dashboard opens.

    Raises:
        UsageError: the file exists.
    """
    if file.exists():
        raise UsageError(f"--export {file}: this file exists; name another one, or remove it")
    study_of(search, f"sqlite:///{file}")


def study_of(search: Mapping[str, Any], storage: str | None = None) -> Any:
    """A study with the trials that have ended.

    Args:
        search: the content of search.json.
        storage: the URL of its database; None for a study in memory.
    """
    module = optuna()
    direction = "maximize" if search["larger_is_better"] else "minimize"
    among = {one["name"]: _distribution(module, one) for one in search["parameters"]}
    with quietly():
        study = module.create_study(study_name=search["name"], direction=direction, storage=storage)
        study.add_trials(
            [
                _trial(module, trial, among)
                for trial in search["trials"]
                if trial["status"] != "running"
            ]
        )
    return study


def _trial(module: Any, trial: Mapping[str, Any], among: Mapping[str, Any]) -> Any:
    state = _ENDS.get(trial["status"], "FAIL")
    curve = {point["iteration"]: point["value"] for point in trial["curve"]}
    return module.trial.create_trial(
        state=getattr(module.trial.TrialState, state),
        value=trial["value"] if state == "COMPLETE" else None,
        params=trial["params"],
        distributions={name: among[name] for name in trial["params"]},
        intermediate_values=curve,
        user_attrs={"run_ids": trial["run_ids"], "status": trial["status"]},
    )


def _distribution(module: Any, one: Mapping[str, Any]) -> Any:
    found = module.distributions
    if one["kind"] == "choice":
        return found.CategoricalDistribution(one["options"])
    low, high, log, step = (one[key] for key in ("low", "high", "log", "step"))
    if one["whole"]:
        return found.IntDistribution(low, high, log=log, step=int(step or 1))
    return found.FloatDistribution(low, high, log=log, step=step)
