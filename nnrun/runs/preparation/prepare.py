"""From a config to a run that is ready to start, with all mistakes found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.load import Experiment, config_from_dict
from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.config.schema.experiment import BesideConfig, ExperimentConfig
from nnrun.config.schema.sweep import SweepConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.config.yaml.source_map import Source
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.held_out import check_categories, with_training_categories
from nnrun.data.load import load_dataset
from nnrun.data.splits.make import make_split
from nnrun.data.splits.parts import Split
from nnrun.engines.selection import EngineError
from nnrun.errors import ConfigError, DataError, Problem
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import Array
from nnrun.runs.preparation.beside import PreparedBeside
from nnrun.runs.preparation.build import (
    ConfigMismatchError,
    Mismatch,
    check_batches,
    network_mismatches,
)
from nnrun.runs.preparation.config_cache import ConfigCache, GridCache
from nnrun.runs.preparation.infer_task import InferredTask, infer_task
from nnrun.runs.preparation.memory import excess
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.preparation.ranges import check_ranges, stays_in_range
from nnrun.runs.preparation.row_weights import check_weights
from nnrun.runs.preparation.wanted_metrics import metric_mismatches, wanted_metrics
from nnrun.runs.stored_config import with_data
from nnrun.training.streams import Streams

# How many learning rates of a run are checked before it starts.
_RATES = 1 << 12


class MisfitError(ConfigError):
    """A config does not fit its data, or in itself; other folds may have other problems."""


def prepare(
    experiment: Experiment,
    load: Callable[[DatasetConfig], Dataset] = load_dataset,
    penalty: L2Penalty | None = None,
    cache: GridCache | None = None,
) -> Prepared:
    """Load the data, split it, and check that everything fits together.

    Only estimators have a penalty on large weights. The cache serves settings that are prepared one
    after the other.

    Raises: ConfigError if the data cannot be used; MisfitError if they do not fit the config, or
    the network does not fit together, or the run needs more memory than there is.
    """
    cache, experiment = cache or GridCache(), with_data(experiment)
    config, inference = _with_task(experiment.config)
    rows = config.dataset, config.seed, config.in_order
    try:
        dataset, split = cache.get("rows", rows, lambda: _divided(config, load(config.dataset)))
        check_categories(dataset, split)
        of_classes = None if isinstance(config, BesideConfig) else config.training.class_weight
        check_weights(split, dataset.classes, of_classes)
    except DatasetProblem as error:
        raise _config_error(experiment, error.problems) from None
    except DataError as error:
        sources = ("path", "images", "name")
        key = next(key for key in sources if getattr(config.dataset, key) is not None)
        place = ("dataset", key, *(["folder"] * (key == "images")))
        head = experiment.problem(place, "this data set cannot be used:")
        raise ConfigError([head, *map(Problem, str(error).splitlines())]) from None
    if isinstance(config, BesideConfig):
        return _beside(experiment, config, dataset, split)
    inferred = f"{inference.task}, {inference.reason}" if inference else ""
    resolved = _resolve(config, dataset, split)
    prepared = Prepared(resolved, dataset, split, inferred, penalty, grid=cache)
    try:
        network = prepared.network
        of_training = (
            check_batches(prepared.config.training, network, len(split.train)),
            _rates(prepared),
        )
        mismatches = network_mismatches(network, prepared.config, dataset)
        mismatches += [each for each in of_training if each is not None]
        if not mismatches and (
            too_much := excess(prepared.config, network, prepared.memory, cache)
        ):
            mismatches = [too_much]
        if mismatches:
            raise ConfigMismatchError(mismatches)
        prepared.select_engine()
        alike = dataset, config.dataset.features, config.dataset.target
        if not cache.get("in range", alike, lambda: stays_in_range(dataset, config.dataset)):
            numbers = rows, network.input_shape, network.dtype
            cache.get("ranges", numbers, lambda: check_ranges(prepared))
    except (ConfigMismatchError, DatasetProblem) as error:
        raise _config_error(experiment, error.problems) from None
    except EngineError as error:
        raise ConfigError([experiment.problem(("training", "engine"), str(error))]) from None
    return prepared


def _beside(
    experiment: Experiment, config: BesideConfig, dataset: Dataset, split: Split
) -> PreparedBeside:
    mismatches = [*metric_mismatches(config, probabilistic=True, dataset=dataset)]
    if mismatches:
        raise _config_error(experiment, mismatches)
    return PreparedBeside(_resolve(config, dataset, split), dataset, split)


def prepare_arrays(
    data: dict[str, Any], dataset: Dataset, penalty: L2Penalty | None = None
) -> Prepared:
    """A run on rows in memory; raises as `prepare` does.

    `data` is a config as plain values; the source in its `dataset` block is ignored.
    """
    experiment = Experiment(config_from_dict(data), Source(data), Path())
    return prepare(experiment, lambda _: dataset, penalty)


def _config_error(experiment: Experiment, problems: Iterable[tuple[KeyPath, str]]) -> MisfitError:
    return MisfitError(experiment.problem(path, message) for path, message in problems)


def _with_task(config: ExperimentConfig) -> tuple[ExperimentConfig, InferredTask | None]:
    """The config with the task that its network implies, if it names none."""
    inference = infer_task(config) if config.dataset.task is None else None
    if inference is None:
        return config, None
    block = config.dataset.model_copy(update={"task": inference.task})
    return config.model_copy(update={"dataset": block}), inference


def _rates(prepared: Prepared) -> Mismatch | None:
    """The first learning rate that overflows, if there is one."""
    block, iterations = prepared.config.training.learning_rate, prepared.iterations
    if isinstance(block, float):
        return None
    schedule: Schedule = block.build()
    t = _checked_iterations(iterations)
    with np.errstate(over="ignore", invalid="ignore"):
        sound = np.isfinite(schedule.rates(t, iterations))
    if sound.all():
        return None
    iteration = int(t[sound.argmin()]) + 1
    message = f"at iteration {iteration:,} it is larger than any number (1.8e308)"
    return ("training", "learning_rate"), message


@lru_cache(maxsize=1)  # settings of a grid that are as long
def _checked_iterations(iterations: int) -> Array:
    """Those from the first to the last at which learning rates are checked, counted from 0."""
    last = max(iterations - 1, 0)
    found: Array = np.unique(np.linspace(0, last, min(last + 1, _RATES)).round())
    found.setflags(write=False)
    return found


def prepare_again(
    config: ExperimentConfig, dataset: Dataset, cache: ConfigCache | None = None
) -> Prepared:
    """A run of a config that was prepared before, perhaps with another seed; nothing is checked.

    The config is resolved, the data set raw, the cache that of the config's other runs.
    """
    kind = PreparedBeside if isinstance(config, BesideConfig) else Prepared
    return kind(config, *_divided(config, dataset), cache=cache or ConfigCache())


def check_rows(prepared: Prepared, like: Prepared | None = None) -> None:
    """Check what another seed or fold may change, for a run that was prepared again.

    `like` is a run with the same layers, whose network is there already.

    Raises: DatasetProblem if weights, batches or categories do not suit the rows of the splits.
    """
    config, split, classes = prepared.config, prepared.split, prepared.dataset.classes
    check_categories(prepared.dataset, split)
    if isinstance(config, BesideConfig):
        check_weights(split, classes, None)
        return
    check_weights(split, classes, config.training.class_weight)
    mismatch = check_batches(config.training, (like or prepared).network, len(split.train))
    if mismatch is not None:
        raise DatasetProblem([mismatch])


def _divided(config: ExperimentConfig, dataset: Dataset) -> tuple[Dataset, Split]:
    dataset = dataset.whole or dataset  # another seed may have been prepared with it
    seed, test_seed = config.dataset.split.seed, config.dataset.split.test_seed
    streams = Streams(config.seed if seed is None else seed)
    of_test = None if test_seed is None else Streams(test_seed).split
    split = make_split(dataset, config.dataset, streams.split, of_test)
    if config.in_order:
        split = split.in_file_order()
    return with_training_categories(dataset, split, streams.split)


def _resolve(config: ExperimentConfig, dataset: Dataset, split: Split) -> ExperimentConfig:
    """The config with the values that depend on the data."""
    decided = {
        "task": dataset.task,
        "test_size": split.test_size,
        "fold": config.dataset.fold or (1 if config.dataset.folds else None),
        "stratify": split.stratified,
    }
    block = config.dataset.model_copy(update=decided)
    metrics = wanted_metrics(config, dataset)
    return config.model_copy(update={"dataset": block, "metrics": metrics, **_unused(config)})


def _unused(config: ExperimentConfig) -> dict[str, Any]:
    """What a run keeps of its sweep and its search: the metric that it is ordered by."""
    order_by = None if config.sweep is None else config.sweep.order_by
    sweep = None if order_by is None else SweepConfig(order_by=order_by)
    return {"sweep": sweep, "search": None}
