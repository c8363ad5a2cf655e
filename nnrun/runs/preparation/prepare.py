"""Everything that can be known, and be wrong, before a run starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.canonical import canonical
from nnrun.config.load import Experiment, config_from_dict, config_to_dict
from nnrun.config.schema.experiment import DatasetConfig, ExperimentConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.config.yaml.source_map import Source
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.held_out import with_training_categories
from nnrun.data.load import load_dataset
from nnrun.data.preprocessing.pipeline import Preprocessing
from nnrun.data.splits import Split, SplitData, make_split
from nnrun.engines.selection import EngineError, select_engine
from nnrun.errors import ConfigError, DataError, Problem
from nnrun.models.task import Task, task_of
from nnrun.nn.network import Network
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.schedules import Constant, Schedule
from nnrun.runs.identity import Identity
from nnrun.runs.preparation.batches import misfit_of_batches
from nnrun.runs.preparation.build import ConfigMismatch, ConfigMismatchError, build_network
from nnrun.runs.preparation.config_cache import ConfigCache
from nnrun.runs.preparation.infer_task import Inference, infer_task
from nnrun.runs.preparation.memory import MemoryEstimate, estimate_memory, excess
from nnrun.runs.preparation.ranges import check_ranges
from nnrun.training.examples import PreparedSplit
from nnrun.training.sampling import batches_per_epoch
from nnrun.training.streams import Streams

_POINTS = 20
# So many learning rates of a run are looked at before it starts.
_RATES = 1 << 12


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start.

    Args:
        config: resolved: one seed, and what the data decide filled in. What depends on the length
            of the run stays open, so that the same config may be given another length.
        dataset: raw, with the categories that training rows have.
        split: its parts, raw.
        inferred: the task and what says so, where the config leaves it to the network.
        penalty: what large weights cost; of estimators, configs have none.
        common: to the runs of this config, whatever their seeds.
    """

    config: ExperimentConfig
    dataset: Dataset
    split: Split
    inferred: str = ""
    penalty: L2Penalty | None = None
    common: ConfigCache = field(default_factory=ConfigCache, repr=False, compare=False)

    @cached_property
    def config_dict(self) -> dict[str, Any]:
        """The resolved config as plain values."""
        # As text, so that every run has a copy of its own.
        text = self.common.get("config", lambda: json.dumps(config_to_dict(self.config)))
        return {**json.loads(text), "seed": self.config.seed}

    @property
    def identity(self) -> Identity:
        """What the run is but for its seed; what the data or its length decide is decided."""
        return self.common.get("identity", self._identity)

    def _identity(self) -> Identity:
        update = {"evaluate_every": self.evaluate_every}
        training = self.config.training.model_copy(update=update)
        decided = self.config.model_copy(update={"training": training})
        return Identity.of(canonical(decided), self.dataset.sha256)

    @property
    def run_id(self) -> str:
        """The name of its folder."""
        return self.identity.run_id(self.config.seed)

    @property
    def batches_per_epoch(self) -> int:
        """Iterations in one pass over the training split."""
        return batches_per_epoch(len(self.split.train), self.config.training.batch_size)

    @property
    def iterations(self) -> int:
        """How many updates the run has."""
        training = self.config.training
        if training.iterations is not None:
            return training.iterations
        return (training.epochs or 0) * self.batches_per_epoch

    @property
    def evaluate_every(self) -> int:
        """Iterations from one evaluation to the next."""
        return self.config.training.evaluate_every or max(1, -(-self.iterations // _POINTS))

    def schedule(self) -> Schedule:
        """The learning rates."""
        rate = self.config.training.learning_rate
        schedule: Schedule = Constant(rate) if isinstance(rate, float) else rate.build()
        return schedule

    def network(self) -> Network:
        """A new network, its shapes fixed, without memory."""
        return build_network(self.config, self.dataset, self.penalty)

    def engine(self, network: Network) -> str:
        """The name of the engine that trains it, chosen from the config alone.

        Raises:
            EngineError: the engine that the config names cannot.
        """
        training = self.config.training

        def select() -> str:
            return select_engine(
                training.engine,
                network,
                training.optimizer.build(),
                batch_size=training.batch_size,
                iterations=self.iterations,
            )

        return self.common.get(f"engine for {network.input_shape}", select)

    def memory(self, network: Network) -> MemoryEstimate:
        """What the run will take."""
        return estimate_memory(self.config, network, self.dataset)

    def preprocessing(self) -> Preprocessing:
        """Fitted on the training split."""
        fitted = Preprocessing.for_dataset(self.dataset, self.config.dataset)
        return fitted.fit(self.split.train.x, self.split.train.y)

    def task(self, network: Network, preprocessing: Preprocessing) -> Task:
        """What the network's outputs mean."""
        return task_of(network, preprocessing, self.dataset.layout)

    def examples(
        self, network: Network, preprocessing: Preprocessing, task: Task
    ) -> dict[str, PreparedSplit]:
        """The splits there are, in the form that the network takes."""
        parts = {
            "train": self.split.train,
            "validation": self.split.validation,
            "test": self.split.test,
        }

        def ready(part: SplitData) -> PreparedSplit:
            x = preprocessing.transform_x(part.x).reshape(len(part), *network.input_shape)
            return PreparedSplit(
                x=np.ascontiguousarray(x, network.dtype),
                target=np.ascontiguousarray(task.encode(part.y), network.dtype),
                y=part.y,
            )

        return {name: ready(part) for name, part in parts.items() if part is not None}


def prepare(
    experiment: Experiment,
    load: Callable[[DatasetConfig], Dataset] = load_dataset,
    penalty: L2Penalty | None = None,
) -> Prepared:
    """Load the data, split it, and check that everything fits together.

    Args:
        experiment: what to prepare.
        load: loads the data, or has it already.
        penalty: what large weights cost, which no config says.

    Raises:
        ConfigError: the data cannot be used or do not fit the config, or the network does not fit
            together, or the run needs more memory than there is.
    """
    config, inference = _with_task(experiment.config)
    try:
        dataset = load(config.dataset)
        dataset, split = _divided(config, dataset)
    except DatasetProblem as error:
        raise _config_error(experiment, error.problems) from None
    except DataError as error:
        key = "name" if config.dataset.path is None else "path"
        head = experiment.problem(("dataset", key), "this data set cannot be used:")
        raise ConfigError([head, *map(Problem, str(error).splitlines())]) from None
    inferred = f"{inference.task}, {inference.reason}" if inference else ""
    prepared = Prepared(_resolve(config, dataset, split), dataset, split, inferred, penalty)
    try:
        network = prepared.network()
        misfit = (
            misfit_of_batches(prepared.config.training, network, len(prepared.split.train))
            or _rates(prepared)
            or excess(prepared.config, network, prepared.memory(network))
        )
        if misfit is not None:
            raise ConfigMismatchError([misfit])
    except ConfigMismatchError as error:
        raise _config_error(experiment, [(m.path, m.message) for m in error.misfits]) from None
    try:
        prepared.engine(network)
        check_ranges(prepared, network)
    except EngineError as error:
        raise ConfigError([experiment.problem(("training", "engine"), str(error))]) from None
    except DatasetProblem as error:
        raise _config_error(experiment, error.problems) from None
    return prepared


def prepare_arrays(
    data: dict[str, Any], dataset: Dataset, penalty: L2Penalty | None = None
) -> Prepared:
    """A run on rows in memory.

    Args:
        data: a config as plain values; what its `dataset` block says of a source is not looked at.
        dataset: the rows.
        penalty: what large weights cost.

    Raises: as `prepare` does.
    """
    experiment = Experiment(config_from_dict(data), Source("", data), Path())
    return prepare(experiment, lambda _: dataset, penalty)


def _config_error(experiment: Experiment, problems: Iterable[tuple[KeyPath, str]]) -> ConfigError:
    return ConfigError(experiment.problem(path, message) for path, message in problems)


def _with_task(config: ExperimentConfig) -> tuple[ExperimentConfig, Inference | None]:
    """The config with the task that its network implies, where it says none itself."""
    inference = infer_task(config) if config.dataset.task is None else None
    if inference is None:
        return config, None
    block = config.dataset.model_copy(update={"task": inference.task})
    return config.model_copy(update={"dataset": block}), inference


def _rates(prepared: Prepared) -> ConfigMismatch | None:
    """The first learning rate that is too large to be a number, if there is one."""
    schedule, last = prepared.schedule(), max(prepared.iterations - 1, 0)
    if isinstance(schedule, Constant):
        return None
    t = np.unique(np.linspace(0, last, min(last + 1, _RATES)).round())
    with np.errstate(over="ignore", invalid="ignore"):
        sound = np.isfinite(schedule.rates(t, prepared.iterations))
    if sound.all():
        return None
    iteration = int(t[sound.argmin()]) + 1
    message = f"at iteration {iteration:,} it is larger than any number (1.8e308)"
    return ConfigMismatch(("training", "learning_rate"), message)


def prepare_again(
    config: ExperimentConfig, dataset: Dataset, common: ConfigCache | None = None
) -> Prepared:
    """A run whose config was prepared before, or was but for its seed: nothing is checked."""
    return Prepared(config, *_divided(config, dataset), common=common or ConfigCache())


def _divided(config: ExperimentConfig, dataset: Dataset) -> tuple[Dataset, Split]:
    dataset = dataset.whole or dataset  # another seed may have been prepared with it
    split = make_split(dataset, config.dataset, Streams.of(config.seed).split)
    if config.training.sampling == "in_order":
        split = split.in_file_order()
    return with_training_categories(dataset, split)


def _resolve(config: ExperimentConfig, dataset: Dataset, split: Split) -> ExperimentConfig:
    """The config with what only the data decide filled in."""
    decided = {"task": dataset.task, "test_size": split.test_size}
    block = config.dataset.model_copy(update=decided)
    return config.model_copy(update={"dataset": block, "sweep": None})
