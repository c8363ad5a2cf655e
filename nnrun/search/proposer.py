"""Proposes settings by Optuna's samplers, each trial with a seed of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from nnrun.config.schema.search.distributions import Range
from nnrun.errors import UsageError
from nnrun.search.spaces.choices import Draw, Label, Space
from nnrun.search.spaces.spread import Grid, Proposer, Sobol


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
