"""A student's config, with the runs that its grade needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.load import Experiment, config_from_dict, config_to_dict
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.yaml.source_map import Source
from nnrun.nn.signature import Array
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import execute
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunResult
from nnrun.sweeps.planning.estimate import estimate

SEEDS = range(1001, 1006)
"""Of graded runs; the seed of a config is not used."""

_MOST_SECONDS = 2.0  # of one run, as a sweep estimates them


class UnmetError(Exception):
    """A criterion cannot be met; the message says why."""


@dataclass(frozen=True)
class Runs:
    """The runs of a config, one for each seed."""

    results: Sequence[RunResult]

    def values(self, split: str, metric: str) -> Array:
        """A metric of each run.

        Raises:
            UnmetError: some have none, since they diverged.
        """
        lost = sum(result.record.status != "completed" for result in self.results)
        if lost:
            raise UnmetError(f"training diverges with {lost} of {len(self.results)} seeds")
        return np.array([result.record.metrics[split][metric] for result in self.results])

    def mean(self, split: str, metric: str) -> float:
        """The mean of a metric; raises as `values` does."""
        return float(self.values(split, metric).mean())


class Attempt:
    """A config that a student hands in for an exercise.

    Args:
        experiment: the config.
        start: of the exercise.
        seeds: of the runs by which it is graded.
    """

    def __init__(
        self, experiment: Experiment, start: Experiment, seeds: Sequence[int] = SEEDS
    ) -> None:
        self.experiment = experiment
        self.start = start
        self.seeds = seeds

    @property
    def config(self) -> ExperimentConfig:
        """What the student has written."""
        return self.experiment.config

    @cached_property
    def prepared(self) -> Prepared:
        """Its run with the first seed.

        Raises:
            ConfigError: the network does not fit together, or does not fit the data.
        """
        return seeded(self.experiment, self.seeds[0])

    @property
    def runs(self) -> Runs:
        """Its runs."""
        return self.trained(self.experiment)

    @property
    def before(self) -> Runs:
        """Those of the start."""
        return self.trained(self.start)

    def trained(self, experiment: Experiment) -> Runs:
        """The runs of an experiment, in memory.

        Raises:
            UnmetError: they would take long.
        """
        return _trained(json.dumps(config_to_dict(experiment.config)), tuple(self.seeds))


def seeded(experiment: Experiment, seed: int) -> Prepared:
    """The run of an experiment with this seed, unwatched."""
    config = experiment.config
    training = config.training.model_copy(update={"watch": False})
    updates = {"seed": seed, "training": training}
    return prepare(replace(experiment, config=config.model_copy(update=updates)))


def changed(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """The experiment with other values of these dotted keys."""
    content = config_to_dict(experiment.config)
    for key, value in values.items():
        *blocks, last = key.split(".")
        block = content
        for name in blocks:
            block = block[name]
        block[last] = value
    return Experiment(config_from_dict(content), Source(content), experiment.file)


@lru_cache(maxsize=16)  # starts, and what attempts are compared with, are the same for a class
def _trained(config: str, seeds: tuple[int, ...]) -> Runs:
    content, results = json.loads(config), []
    experiment = Experiment(config_from_dict(content), Source(content), Path())
    for seed in seeds:
        prepared = seeded(experiment, seed)
        if (seconds := estimate(prepared).seconds) > _MOST_SECONDS:
            most = f"at most {_MOST_SECONDS:.0f} s are graded"
            raise UnmetError(f"a run takes about {seconds:.0f} s, and {most}")
        results.append(execute(prepared, None, Listener()))
    return Runs(results)
