"""A run that is ready to start, with its network and data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.load import UNNAMED, canonical, config_to_json, config_with, plugin_parts
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.schema.training import EVALUATIONS, TrainingConfig
from nnrun.data.dataset import Dataset
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.series import earlier_values
from nnrun.data.split_rows import Sizes, Split, SplitData
from nnrun.engines.base import batches_per_epoch
from nnrun.engines.selection import Selected, select_engine
from nnrun.models.scores import Metrics
from nnrun.models.task import Classification, Regression, Task, task_of
from nnrun.nn.losses import Loss
from nnrun.nn.network import Network
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.schedules import Constant, Schedule
from nnrun.nn.signature import Array
from nnrun.plugins.part import Part
from nnrun.runs.metrics import baselines_of, naive_of
from nnrun.runs.preparation.build import (
    augmentation_of,
    build_network,
    class_factors,
    reason_of_task,
    relative,
    row_weights,
)
from nnrun.runs.preparation.config_cache import ConfigCache, GridCache
from nnrun.runs.preparation.memory import MemoryEstimate, estimate_memory
from nnrun.runs.record import Identity
from nnrun.training.augment import Augmentation
from nnrun.training.state import PreparedSplit, Streams, drawn_parts, most_rows, rows_taken

# How many updates a run has, and how often and on how many rows it is evaluated.


def iterations_of(training: TrainingConfig, rows: int) -> int:
    """The updates of a run with so many training rows."""
    if training.iterations is not None:
        return training.iterations
    return (training.epochs or 0) * batches_per_epoch(rows, training.batch_size)


def every_of(training: TrainingConfig, sizes: Sizes) -> int:
    """Iterations from one evaluation to the next, the same for every seed."""
    planned = iterations_of(training, sizes.planned)
    return training.evaluate_every or max(1, -(-planned // EVALUATIONS))


def rows_of(training: TrainingConfig, sizes: Sizes) -> int | None:
    """The rows of a split that evaluations on the way take at most; None for all."""
    parts = [sizes.train, *sizes.held_out]
    usual = most_rows(every_of(training, sizes), training.batch_size, len(parts))
    return rows_taken(training.evaluate_rows, usual, parts, sizes.planned)


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start; its network, data and baseline are made once, when first used.

    Args:
        config: resolved, with one seed and the values that depend on the data. Defaults that depend
            on the length of the run stay open, so that the config can be given another length.
        dataset: raw, with the categories of its training rows.
        split: its parts, raw.
        inferred: the task and the reason for it, if the config does not name the task.
        penalty: on large weights; only estimators have one.
        file: of the config.
        cache: shared by all seeds of the config.
        grid: shared by settings that are prepared one after the other, and not trained together:
            those with the same layers and data have one network, and one fitted preprocessing.
    """

    config: ExperimentConfig
    dataset: Dataset
    split: Split
    inferred: str = ""
    penalty: L2Penalty | None = None
    file: Path = UNNAMED
    cache: ConfigCache = field(default_factory=ConfigCache, repr=False, compare=False)
    grid: GridCache | None = field(default=None, repr=False, compare=False)

    @cached_property
    def config_dict(self) -> dict[str, Any]:
        """The resolved config as plain values."""
        # Cached as text, so that every run has a copy of its own.
        return {**json.loads(self.config_json), "seed": self.config.seed}

    @property
    def config_json(self) -> str:
        """The resolved config of the first run that shares the cache."""
        return self.cache.get("config", lambda: config_to_json(self.config))

    @property
    def streams(self) -> Streams:
        """New generators of its random numbers, but for the split."""
        return Streams(self.config.seed, self.config.dataset.fold)

    @property
    def identity(self) -> Identity:
        """What tells the run from others, except for its seed."""
        return self.cache.get("identity", self._identity)

    def _identity(self) -> Identity:
        training = self.config.training.model_copy(update=self.evaluations)
        config = self.config.model_copy(update={"training": training})
        return Identity.of(canonical(config), self.dataset.sha256, self.plugin_digests)

    @property
    def plugins(self) -> Sequence[Part]:
        """The parts of plugins that its config names."""
        found: Sequence[Part] = self.cache.get("plugins", lambda: plugin_parts(self.config))
        return found

    @property
    def plugin_digests(self) -> dict[str, str]:
        """The digest of the source of each of these."""
        return {f"{part.kind} {part.name}": part.source.sha256 for part in self.plugins}

    @property
    def run_id(self) -> str:
        """The name of its folder."""
        return self.identity.run_id(self.config.seed)

    @property
    def train_rows(self) -> int:
        """How many rows the network is trained on."""
        return len(self.split.train)

    @property
    def batches_per_epoch(self) -> int:
        """Iterations in one pass over the training split."""
        return batches_per_epoch(self.train_rows, self.config.training.batch_size)

    @property
    def iterations(self) -> int:
        """How many updates the run has; each network, if it trains several."""
        return iterations_of(self.config.training, self.train_rows)

    @cached_property
    def settings(self) -> list[Prepared]:
        """The run as it would be with each setting of its members, the config's own first.

        Raises: ConfigError, OverrideError where a setting is none.
        """
        own = [{}] if self.config.networks == 1 else self.config.settings_of_members
        return [self if not values else self._with(values) for values in own]

    def _with(self, values: dict[str, Any]) -> Prepared:
        config = config_with(self.config, values)
        found = replace(self, config=config, cache=ConfigCache(), grid=None)
        vars(found)["preprocessing"] = self.preprocessing
        return found

    @property
    def updates(self) -> int:
        """How many updates all its networks have."""
        each = [setting.iterations for setting in self.settings]
        return sum(each[number % len(each)] for number in range(self.config.networks))

    @property
    def planned_iterations(self) -> int:
        """The updates of a training split of the size asked for; the seed may draw another."""
        return iterations_of(self.config.training, self.split.planned)

    @cached_property
    def evaluate_every(self) -> int:
        """Iterations from one evaluation to the next, the same for every seed."""
        return every_of(self.config.training, self.split.sizes)

    @cached_property
    def evaluate_rows(self) -> int | None:
        """The rows of a split that evaluations on the way take at most; None for all."""
        return rows_of(self.config.training, self.split.sizes)

    @property
    def evaluations(self) -> dict[str, int | None]:
        """How often and on how many rows it is evaluated, as keys of the block `training`."""
        return {"evaluate_every": self.evaluate_every, "evaluate_rows": self.evaluate_rows}

    @property
    def parts(self) -> dict[str, PreparedSplit]:
        """The parts of splits that evaluations on the way take; of others they take all rows."""
        most, by_default = self.evaluate_rows, self.config.training.evaluate_rows is None
        if most is None:
            return {}
        rng = self.streams.evaluation
        return drawn_parts(self.examples, most, rng, by_default=by_default)

    @cached_property
    def schedule(self) -> Schedule:
        """The learning rates."""
        rate = self.config.training.learning_rate
        schedule: Schedule = Constant(rate) if isinstance(rate, float) else rate.build()
        return schedule

    @cached_property
    def network(self) -> Network:
        """The network; it takes memory for its parameters when it is initialized.

        Raises: ConfigMismatchError if it does not fit the data or the loss; DatasetProblem if steps
        that add columns cannot be fitted.
        """
        config, dataset, added = self.config, self.dataset, self.added

        def build() -> Network:
            weighted = self.weighted
            return build_network(config, dataset, self._penalty, weighted=weighted, added=added)

        if self.grid is None:
            return build()
        parts = config.network, config.loss, config.training.dtype, self.weighted, dataset, added
        return self.grid.get("network", parts, build)

    @property
    def added(self) -> int:
        """How many columns the preparation adds; it is fitted only where a step adds some."""
        unfitted = Preprocessing.for_dataset(self.dataset, self.config.dataset)
        return self.preprocessing.added if unfitted.widens else 0

    @property
    def input_names(self) -> Sequence[str]:
        """The names of the columns that the network takes; empty for images."""
        shape, names = self.dataset.shape, self.dataset.feature_names
        if len(shape) > 1:
            return ()
        features = names or [f"column {index + 1}" for index in range(shape[0])]
        return [*features, *(name for name, _ in self.preprocessing.sources)]

    @property
    def weighted(self) -> bool:
        """Whether rows have weights in the loss."""
        return self.dataset.weights is not None or self.class_factors is not None

    @cached_property
    def class_factors(self) -> Array | None:
        """The weight of each class, if classes have weights."""
        rule = self.config.training.class_weight
        return class_factors(rule, self.dataset.classes, self.split.train)

    @property
    def _penalty(self) -> L2Penalty | None:
        """The penalty, which is divided by the rows of a batch: by their weights, if they have any.

        So a row with a weight of 2 counts as two rows here, too.
        """
        train = self.split.train
        weights = row_weights(train.y, train.weight, self.class_factors)
        if self.penalty is None or weights is None:
            return self.penalty
        return L2Penalty(self.penalty.alpha / float(weights.mean()))

    @property
    def augmentation(self) -> Augmentation | None:
        """The random changes of training rows, if there are any."""
        return augmentation_of(self.config)

    @property
    def engine(self) -> str:
        """The name of the engine that trains it."""
        return self.select_engine().name

    @property
    def requested_engine(self) -> str:
        """What the config says of the engine."""
        return self.config.training.engine

    def select_engine(self) -> Selected:
        """Choose the engine, from the config alone.

        Raises: EngineError if the engine that the config names cannot train the network.
        """
        training = self.config.training

        def select() -> Selected:
            return select_engine(
                training.engine,
                self.network,
                training.make_optimizer(),
                batch_size=training.batch_size,
                iterations=self.planned_iterations,
            )

        # Settings with the same code may have splits of other sizes, and so other iterations.
        shape, iterations = self.network.input_shape, self.iterations
        return self.cache.code.get(f"engine for {shape} and {iterations}", select)

    @cached_property
    def memory(self) -> MemoryEstimate:
        """How much memory the run will take."""
        each = [estimate_memory(run.config, run.network, self.dataset) for run in self.settings]
        members = [each[number % len(each)] for number in range(self.config.networks)]
        return MemoryEstimate(
            parameters=sum(one.parameters for one in members) // len(members),
            activations=max(one.activations for one in each),
            data=max(one.data for one in each),
        )

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Fitted on the training split."""

        def fit() -> Preprocessing:
            steps = Preprocessing.for_dataset(self.dataset, self.config.dataset)
            return steps.fit(self.split.train.raw, self.split.train.y)

        return fit() if self.grid is None else self.grid.get("preprocessing", self.rows, fit)

    @property
    def rows(self) -> tuple[object, ...]:
        """What decides the rows of its splits."""
        return self.config.dataset, self.config.seed, self.config.in_order

    @cached_property
    def task(self) -> Task:
        """What the network's outputs mean."""
        return task_of(self.network, self.preprocessing, self.dataset.layout)

    @property
    def metrics(self) -> Sequence[str]:
        """Metrics that the report has beside those of the task."""
        return self.config.metrics or ()

    @property
    def watched(self) -> bool:
        """Whether the network is looked at while it trains."""
        return self.config.training.watch

    @property
    def main_metric(self) -> str:
        """The metric that lists and leaderboards show it by."""
        sweep = self.config.sweep
        task = Regression if self.dataset.task == "regression" else Classification
        return (sweep and sweep.order_by) or task.main_metric

    @property
    def task_from(self) -> str | None:
        """The part of the config that implies the task; None if the data set decides it."""
        return self.cache.get("task from", partial(reason_of_task, self.config))

    @cached_property
    def examples(self) -> dict[str, PreparedSplit]:
        """The splits there are, as the network takes them."""
        parts = {"train": self.split.train, **self.split.held_out}
        return {name: self.prepare_rows(part) for name, part in parts.items()}

    @cached_property
    def calibration(self) -> PreparedSplit | None:
        """The rows that are evaluated once training has ended, as the network takes them."""
        aside = self.split.calibration
        return None if aside is None else self.prepare_rows(aside)

    def prepare_rows(self, part: SplitData) -> PreparedSplit:
        """Raw rows as the network takes them."""
        dtype, shape = self.network.dtype, self.network.input_shape
        x = np.empty((len(part), *shape), dtype)
        target = np.empty((len(part), *self.network.output_shape), dtype)
        for places, rows in part.raw.as_stored():
            x[places] = self.preprocessing.transform_x(rows).reshape(-1, *shape)
            target[places] = self.task.encode(part.y[places])
        return PreparedSplit(
            x=x,
            target=target,
            y=part.y,
            weight=self.loss_weights(part.y, part.weight),
            sample_weight=part.weight,
        )

    def loss_weights(self, y: Array, weight: Array | None) -> Array | None:
        """The weight of each row in the loss, in the network's dtype."""
        found = relative(row_weights(y, weight, self.class_factors))
        return None if found is None else found.astype(self.network.dtype)

    @property
    def loss(self) -> Loss | None:
        """What evaluations report; None for a model that does not minimize a loss of nnrun."""
        loss: Loss = self.config.loss.build()
        return loss.reported

    @cached_property
    def baseline(self) -> dict[str, Metrics | None]:
        """The metrics of a model that ignores the features, by split."""
        return baselines_of(self.task, self.loss, self.examples, self.metrics)

    @cached_property
    def naive(self) -> dict[str, dict[str, Metrics | None]]:
        """The metrics of earlier targets as predictions, by how many steps of time, then by split.

        For numbers that are split by time; each row is predicted from those before it alone, which
        may be held-out rows.
        """
        times = self.dataset.split_values
        if times is None or self.config.dataset.split.by != "time" or self.dataset.classes:
            return {}
        parts = {"train": self.split.train, **self.split.held_out}
        return {
            steps: naive_of(
                self.task,
                self.loss,
                self.examples,
                {name: values[part.rows] for name, part in parts.items()},
                self.metrics,
            )
            for steps, values in earlier_values(
                self.dataset.pooled_y, times, self.dataset.series
            ).items()
        }
