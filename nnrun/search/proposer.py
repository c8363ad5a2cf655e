"""Proposes settings by Optuna's samplers, each trial with a seed of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from math import ceil, exp, inf, isfinite, log
from pathlib import Path
from secrets import token_hex
from statistics import fmean
from types import ModuleType
from typing import Any

import numpy as np

from nnrun.config.schema.search import Range
from nnrun.errors import NnrunError, UsageError
from nnrun.runs.storage.reading import (
    HISTORY,
    read_history,
    read_run,
    refuse_changed,
    refuse_damaged,
)
from nnrun.search.settings import Draw, Label, Space, parameters_of
from nnrun.unfinished import undone_on_failure

# Proposals that no result changes: the settings of a grid, and points of a Sobol sequence.

_MOST = 100_000


class Proposer:
    """Proposes trial 0, 1, 2, …; the results it has before a proposal decide that."""

    most: int | None = None
    """How many different trials there are, if that is limited."""

    def propose(self, number: int, params: Mapping[str, Label] | None = None) -> Draw:
        """The choice of a trial, or the one with these parameters."""
        raise NotImplementedError

    def tell(self, number: int, value: float | None, curve: Mapping[int, float]) -> None:
        """How a trial ended: its value, or None if it was ended early or failed.

        `curve` has its values at the rungs that it reached, by their number.
        """


class Grid(Proposer):
    """The settings in order; of more than there are trials, as many at random.

    Raises: UsageError if there are too many settings.
    """

    def __init__(self, space: Space, seed: int, trials: int | None) -> None:
        self._draws = all_draws(space)
        self.most = len(self._draws)
        if trials is not None and trials < len(self._draws):
            rng = np.random.default_rng(seed)
            self._draws = [self._draws[at] for at in rng.permutation(len(self._draws))]

    def propose(self, number: int, params: Mapping[str, Label] | None = None) -> Draw:
        return self._draws[number]


def all_draws(space: Space) -> list[Draw]:
    """Every choice of a space; the last parameter changes first."""
    found: list[Draw] = []
    path: list[tuple[int, int]] = []  # the option taken for each parameter, and how many there are
    while True:
        taken = _Path(path)
        found.append(space.draw(taken))
        if len(found) > _MOST:
            raise UsageError(f"the grid has more than {_MOST:,} settings; take another sampler")
        path = taken.path
        while path and path[-1][0] == path[-1][1] - 1:
            path.pop()
        if not path:
            return found
        path[-1] = (path[-1][0] + 1, path[-1][1])


class _Path:
    """Takes the options of a path, and then the first of each further parameter."""

    def __init__(self, path: Sequence[tuple[int, int]]) -> None:
        self.path = [*path]
        self._at = 0

    def number(self, name: str, among: Range) -> float | int:
        found: float | int = among.at(self._take(among.count))
        return found

    def option(self, name: str, labels: Sequence[Label]) -> int:
        return self._take(len(labels))

    def _take(self, count: int) -> int:
        if self._at == len(self.path):
            self.path.append((0, count))
        self._at += 1
        return self.path[self._at - 1][0]


class Sobol(Proposer):
    """The points of a sequence, one for each trial; results change nothing.

    Each parameter has a dimension, also those that are drawn only for some values of others.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._dimensions = {name: at for at, name in enumerate(parameters_of(space))}

    def propose(self, number: int, params: Mapping[str, Label] | None = None) -> Draw:
        from scipy.stats import qmc  # noqa: PLC0415  # slow to import

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # any number of points will do
            engine = qmc.Sobol(max(1, len(self._dimensions)), rng=self._seed)
            if number:
                engine.fast_forward(number)
            point = engine.random(1)[0]
        shares = {name: float(point[at]) for name, at in self._dimensions.items()}
        return self._space.draw(_Evenly(shares))


def drawn_with(fixed: Mapping[str, float], space: Space, count: int) -> Iterator[Draw]:
    """Random choices of a space, always the same ones, with fixed shares of some parameters."""
    rng = np.random.default_rng(0)
    names = [*parameters_of(space)]
    for _ in range(count):
        yield space.draw(_Evenly(dict(zip(names, rng.random(len(names)), strict=True)) | {**fixed}))


class _Evenly:
    """Chooses by a share between 0 and 1 for each parameter."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = shares

    def number(self, name: str, among: Range) -> float | int:
        share, low, high = self._shares[name], among.low, among.high
        if among.is_discrete and not among.log:
            found: float | int = among.at(int(share * among.count))
            return found
        if among.whole:  # each whole number has the share that rounding gives it
            low, high = low - 0.5, high + 0.5
        value = (
            exp(log(low) + share * (log(high) - log(low)))
            if among.log
            else (low + share * (high - low))
        )
        value = min(max(value, among.low), among.high)
        return round(value) if among.whole else value

    def option(self, name: str, labels: Sequence[Label]) -> int:
        return int(self._shares[name] * len(labels))


def make_proposer(
    sampler: str, space: Space, seed: int, *, maximize: bool, trials: int | None
) -> Proposer:
    """The proposer of this name.

    Raises: UsageError if Optuna is not installed, or a grid has too many settings.
    """
    if sampler == "grid":
        return Grid(space, seed, trials)
    if sampler == "quasi_random":
        return Sobol(space, seed)
    return OptunaProposer(space, sampler, seed, maximize=maximize)


def optuna() -> ModuleType:
    """Optuna, without its messages.

    Raises: UsageError if it is not installed.
    """
    try:
        found = import_module("optuna")
    except ImportError:
        message = "a search needs Optuna; python -m pip install 'nnrun[search]' installs it"
        raise UsageError(message) from None
    found.logging.set_verbosity(found.logging.ERROR)
    return found


@contextmanager
def quietly() -> Iterator[None]:
    """Without warnings that some of Optuna's options may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def seed_of(seed: int, number: int) -> int:
    """The seed of a trial's sampler."""
    return int(np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1)[0])


class OptunaProposer(Proposer):
    """Asks and tells a study in memory.

    Trials without a result are in progress: the Parzen estimator takes them for bad ones, so that
    it proposes others.
    """

    def __init__(self, space: Space, sampler: str, seed: int, *, maximize: bool) -> None:
        self._optuna = optuna()
        self._space = space
        self._sampler = sampler
        self._seed = seed
        direction = "maximize" if maximize else "minimize"
        self._study = self._optuna.create_study(direction=direction)
        self._asked: dict[int, Any] = {}
        self._worst: float | None = None
        self._worse = min if maximize else max
        common = self._optuna.search_space.IntersectionSearchSpace
        self._common = common(include_pruned=sampler == "tpe")

    def propose(self, number: int, params: Mapping[str, Label] | None = None) -> Draw:
        with quietly():
            self._study.sampler = self._new_sampler(seed_of(self._seed, number))
            if params is not None:
                self._study.enqueue_trial(dict(params))
            trial = self._study.ask()
            self._asked[number] = trial
            return self._space.draw(OptunaChooser(trial))

    def tell(self, number: int, value: float | None, curve: Mapping[int, float]) -> None:
        trial, states = self._asked.pop(number), self._optuna.trial.TrialState
        for rung, reached in curve.items():
            trial.report(reached, rung)
        if value is not None:
            self._worst = value if self._worst is None else self._worse(self._worst, value)
        elif not curve:
            value = self._worst  # it failed: as bad as the worst
        with quietly():
            if value is not None:
                self._study.tell(trial, value)
            else:
                self._study.tell(trial, state=states.PRUNED if curve else states.FAIL)

    def _new_sampler(self, seed: int) -> Any:
        samplers = self._optuna.samplers
        if self._sampler == "random":
            return samplers.RandomSampler(seed=seed)
        if self._sampler == "cma_es":
            found = samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        else:
            found = samplers.TPESampler(
                seed=seed, multivariate=True, group=self._space.is_conditional, constant_liar=True
            )
        if self._sampler == "cma_es" or not self._space.is_conditional:
            found.infer_relative_search_space = self._common_parameters
        return found

    def _common_parameters(self, study: Any, _: Any) -> dict[str, Any]:
        """What the sampler draws together: the parameters of all trials.

        A sampler of its own for each trial would look for them in all trials again.
        """
        among = self._common.calculate(study)
        return {name: one for name, one in among.items() if not self._is_drawn_alone(one)}

    def _is_drawn_alone(self, among: Any) -> bool:
        categorical = self._optuna.distributions.CategoricalDistribution
        return among.single() or (self._sampler == "cma_es" and isinstance(among, categorical))


class OptunaChooser:
    """Chooses by a trial of Optuna."""

    def __init__(self, trial: Any) -> None:
        self._trial = trial

    def number(self, name: str, among: Range) -> float | int:
        low, high, log = among.low, among.high, among.log
        if among.whole:
            step = int(among.step or 1)
            return int(self._trial.suggest_int(name, low, high, log=log, step=step))
        return float(self._trial.suggest_float(name, low, high, log=log, step=among.step))

    def option(self, name: str, labels: Sequence[Label]) -> int:
        return labels.index(self._trial.suggest_categorical(name, labels))


# The trials of a search as a study of Optuna, for its importances and its dashboard.

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
    """Errors of files and of databases."""
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
