"""The trials of a search as a study of Optuna, for its importances and its dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from math import ceil, inf, isfinite
from pathlib import Path
from secrets import token_hex
from statistics import fmean
from typing import Any

from nnrun.errors import NnrunError, UsageError
from nnrun.runs.storage.contents.history import read_history
from nnrun.runs.storage.contents.names import HISTORY
from nnrun.runs.storage.integrity import refuse_changed
from nnrun.runs.storage.reading import read_run, refuse_damaged
from nnrun.search.proposer import optuna, quietly
from nnrun.unfinished import undone_on_failure

_ENDS = {"completed": "COMPLETE", "pruned": "PRUNED", "stopped": "PRUNED"}
_LEAST = 4
# Of a longer learning curve, this many values are exported.
_MOST_VALUES = 50
Curve = Mapping[int, float]


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


def export_study(search: Mapping[str, Any], folder: Path, file: Path) -> None:
    """Write the trials as a database of Optuna, which optuna-dashboard opens.

    The learning curves are those of the runs in the folder of the experiment.

    Raises: UsageError if the file exists, or a run or its curve has changed; NnrunError if it
    cannot be written.
    """
    if file.exists():
        raise UsageError(f"--export {file}: this file exists; name another one, or remove it")
    temporary = file.with_name(f".{file.name}.{token_hex(4)}")

    def remove() -> None:
        for left in file.parent.glob(f"{temporary.name}*"):  # with the journal of the database
            left.unlink()

    try:
        with undone_on_failure(remove):
            _write_study(search, folder, temporary)
            temporary.rename(file)
            remove()
    except _errors() as error:
        reason = getattr(error.__cause__, "orig", None) or getattr(error, "orig", None) or error
        raise NnrunError(f"{file} cannot be written: {str(reason).splitlines()[0]}") from error


def _errors() -> tuple[type[Exception], ...]:
    """Those of files and of databases."""
    database = import_module("sqlalchemy.exc").SQLAlchemyError
    return OSError, optuna().exceptions.StorageInternalError, database


def _write_study(search: Mapping[str, Any], folder: Path, file: Path) -> None:
    at_once = {"poolclass": import_module("sqlalchemy.pool").NullPool}  # no connection stays open
    storage = optuna().storages.RDBStorage(f"sqlite:///{file}", engine_kwargs=at_once)
    study = study_of(search, storage, lambda trial: _curve(search, trial, folder))
    with quietly():
        study.set_metric_names([f"{search['judged_by']} {search['metric']}"])
    winner, test = search["winner"] or {}, search["test"] or {}
    about = {"dataset": search["dataset"]["name"], "sampler": search["sampler"]}
    about |= {"pruning": search["pruning"], "winner": winner.get("choice")}
    about |= {f"test {search['metric']}": test.get("mean")}
    for key, value in about.items():
        study.set_user_attr(key, value)


def study_of(
    search: Mapping[str, Any],
    storage: Any = None,
    curve: Callable[[Mapping[str, Any]], Curve] = lambda trial: {},
) -> Any:
    """A study with the trials of a search.json that have ended.

    It is in memory unless a storage of Optuna is given; `curve` returns the values of a trial by
    iteration.
    """
    module = optuna()
    direction = "maximize" if search["larger_is_better"] else "minimize"
    among = {one["name"]: _distribution(module, one) for one in search["parameters"]}
    ended = [trial for trial in search["trials"] if trial["status"] != "running"]
    with quietly():
        study = module.create_study(study_name=search["name"], direction=direction, storage=storage)
        found = [_trial(module, trial, among, curve(trial)) for trial in ended]
        for trial, dates in zip(found, _dated(ended), strict=True):
            trial.datetime_start, trial.datetime_complete = dates
        study.add_trials(found)
    return study


def _trial(module: Any, trial: Mapping[str, Any], among: Mapping[str, Any], curve: Curve) -> Any:
    state = _ENDS.get(trial["status"], "FAIL")
    about = {key: trial[key] for key in ("status", "run_ids", "reason") if trial[key]}
    return module.trial.create_trial(
        state=getattr(module.trial.TrialState, state),
        value=trial["value"] if state == "COMPLETE" else None,
        params=trial["params"],
        distributions={name: among[name] for name in trial["params"]},
        intermediate_values=curve,
        user_attrs=about,
    )


def _dated(trials: Sequence[Mapping[str, Any]]) -> Iterator[tuple[datetime, datetime]]:
    """When each trial began and ended, as Optuna has it: local times without a zone.

    A trial without runs has the time of the one before it.
    """
    known = [trial["started"] for trial in trials if trial.get("started")]
    began = known[0] if known else datetime.now(UTC).isoformat()
    for trial in trials:
        began = trial.get("started") or began
        local = datetime.fromisoformat(began).astimezone().replace(tzinfo=None)
        yield local, local + timedelta(seconds=trial["seconds"])


def _curve(search: Mapping[str, Any], trial: Mapping[str, Any], folder: Path) -> Curve:
    """The mean learning curve of a trial's runs as far as it went; without runs, its rungs."""
    rungs = {int(point["iteration"]): float(point["value"]) for point in trial["curve"]}
    last = max(rungs, default=0) if trial["status"] in ("pruned", "stopped") else inf
    column = f"{search['judged_by']}_{search['metric']}"
    curves = [dict(_values(folder / run_id, column)) for run_id in trial["run_ids"]]
    if not curves:
        return rungs
    kept = sorted(at for at in {*curves[0]}.intersection(*curves[1:]) if at <= last)
    few = [*kept[:: ceil(len(kept) / _MOST_VALUES) or 1], *kept[-1:]]
    return {at: fmean(curve[at] for curve in curves) for at in few} | rungs


def _values(folder: Path, column: str) -> Iterator[tuple[int, float]]:
    """The learning curve of a run, without undefined values; a UsageError if it has changed."""
    run = read_run(folder, placed=True)
    refuse_damaged(run, folder)
    if run is not None and run.record is not None:
        refuse_changed(folder, run.record, HISTORY)
    found = read_history(folder)
    for at, value in zip(found.get("iteration", ()), found.get(column, ()), strict=False):
        if isfinite(at) and isfinite(value):
            yield int(at), value


def _distribution(module: Any, one: Mapping[str, Any]) -> Any:
    found = module.distributions
    if one["kind"] == "choice":
        return found.CategoricalDistribution(one["options"])
    low, high, log, step = (one[key] for key in ("low", "high", "log", "step"))
    if one["whole"]:
        return found.IntDistribution(low, high, log=log, step=int(step or 1))
    return found.FloatDistribution(low, high, log=log, step=step)
