"""Config to a run that is ready to start, with all mistakes found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.config.load import Experiment, canonical, config_from_dict, config_with
from nnrun.config.overrides import OverrideError
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.schema.experiment import BesideConfig, ExperimentConfig
from nnrun.config.schema.training import SweepConfig
from nnrun.config.source_map import Source
from nnrun.config.yaml import KeyPath, format_path
from nnrun.data.columns.categories import target_means
from nnrun.data.columns.column import TrainingRows
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.protocols import DatasetSettings
from nnrun.data.rows import all_finite, array_blocks
from nnrun.data.split_rows import Split, SplitData
from nnrun.data.splits import check_categories, load_dataset, make_split, with_training_categories
from nnrun.data.steps import L2, Binarize, MinMax, PerChannel, Standard
from nnrun.engines.selection import EngineError
from nnrun.errors import ConfigError, DataError, Problem, UsageError
from nnrun.models.model import tables_of
from nnrun.models.task import Classification, Regression, Task, gives_probabilities
from nnrun.nn.network import Network
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import Array
from nnrun.runs.preparation.build import (
    ConfigMismatchError,
    InferredTask,
    Mismatch,
    check_batches,
    check_weights,
    infer_task,
    metric_mismatches,
    network_mismatches,
    wanted_metrics,
)
from nnrun.runs.preparation.config_cache import ConfigCache, GridCache
from nnrun.runs.preparation.memory import excess
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import Identity
from nnrun.runs.stored_config import with_data
from nnrun.training.state import PreparedSplit, Streams

# A model of scikit-learn that is ready to be trained.

ENGINE = "scikit-learn"


@dataclass(frozen=True)
class PreparedBeside(Prepared):
    """A run that trains a model of scikit-learn on the data as they are read."""

    requested_engine = ENGINE
    # There are no updates, and no loss of nnrun; classes have weights in networks alone.
    iterations = evaluate_every = 0
    evaluate_rows = loss = class_factors = None
    watched = False

    @property
    def model(self) -> str:
        """The model's name in configs."""
        assert isinstance(self.config, BesideConfig)
        return self.config.beside

    def _identity(self) -> Identity:
        return Identity.of(canonical(self.config), self.dataset.sha256, self.plugin_digests)

    @cached_property
    def network(self) -> Network:
        raise UsageError(f"beside: {self.model} is a model of scikit-learn, without layers")

    @cached_property
    def task(self) -> Task:
        if self.dataset.task == "regression":
            return Regression(_same, _same)
        classes = len(self.dataset.classes)
        return Classification(classes, outputs=classes, probabilistic=True)

    def prepare_rows(self, part: SplitData) -> PreparedSplit:
        """Raw rows as the model takes them: flat, missing numbers filled in unless it takes them.

        Images are divided by the largest number of the training rows; the categories of embeddings
        become means of the target.
        """
        takes_missing = self.model == "boosting"
        x = np.asarray(part.x, np.float64)
        x = x if takes_missing else self.preprocessing.transform_x(x)
        x = self._without_codes(x, trained=part is self.split.train)
        rows = x.reshape(len(part), -1) / self._unit
        return PreparedSplit(
            x=rows,
            target=self.task.encode(part.y),
            y=part.y,
            sample_weight=part.weight,
        )

    def _without_codes(self, x: Array, *, trained: bool) -> Array:
        """Rows with means of the target in place of numbers of categories."""
        if not self._means:
            return x
        parts = [np.delete(x, [*self._means], axis=1)]
        for place, (known, out_of_fold) in self._means.items():
            parts.append(out_of_fold if trained else known[x[:, place].astype(np.intp)])
        return np.hstack(parts)

    @cached_property
    def _means(self) -> dict[int, tuple[Array, Array]]:
        """Means as of `target_mean`, for each feature that is a number of a category."""
        train, columns = self.split.train, self.dataset.layout.columns
        rows = TrainingRows(train.y, self.dataset.classes, lambda: self.config.seed)
        return {
            table.place: target_means(train.x[:, table.place].astype(np.intp), table.entries, rows)
            for table in tables_of(columns)
        }

    @cached_property
    def _unit(self) -> float:
        images = len(self.dataset.shape) > 1
        return (
            float(np.abs(np.asarray(self.split.train.x, np.float64)).max()) or 1.0
            if images
            else 1.0
        )


def _same(values: Array) -> Array:
    return values


# Whether all numbers stay finite when they are prepared.

# Below this, neither a sum of squares nor a usual scaling overflows float32. Larger numbers, and
# small data sets, are checked number by number.
_LARGE = 1e15
_FEW = 1_000_000
# Two different numbers that are 0 or in this range differ by 2⁻⁵³ of the smallest at least. The
# deviation of n numbers, unless all are equal, is that over √(2n) at least, and their spread over
# it at most 4e37 for two parts of so few; 3.4e38 is infinite in float32.
_SMALLEST, _LARGEST = 1e-9, 1e9
# None of them alone, fitted to any rows, makes larger numbers than that.
_STEPS = {L2, Standard, PerChannel, MinMax, Binarize}


def stays_in_range(dataset: Dataset, config: DatasetSettings) -> bool:
    """Whether all prepared numbers are finite in float32, however the rows are divided.

    Raises: DatasetProblem if the preparation does not suit the data.
    """
    if dataset.whole is not None:  # x has not the features that steps are fitted to
        return False
    preparation = Preprocessing.for_dataset(dataset, config)
    steps, target = preparation.steps, preparation.target
    if len(steps) > 1:
        return False
    usual = {type(step) for step in (*steps, target) if step is not None} <= _STEPS
    return usual and all(map(_is_moderate, (*dataset.parts, dataset.pooled_y)))


def _is_moderate(values: Array) -> bool:
    """Whether numbers are 0 or in that range; False, too, where it takes long to say."""
    if values.dtype.kind in "biu" and values.dtype.itemsize <= 2:
        return True  # different ones differ by 1
    return values.size <= _FEW and all(map(_are_moderate, array_blocks(values)))


def _are_moderate(values: Array) -> bool:
    sizes = np.abs(values.astype(np.float64))
    return bool(((sizes == 0) | ((sizes >= _SMALLEST) & (sizes <= _LARGEST))).all())


def check_ranges(prepared: Prepared) -> None:
    """Fit the preprocessing, and require that all prepared numbers are finite.

    Raises: DatasetProblem with the column.
    """
    _, dataset = prepared.preprocessing, prepared.dataset  # fitting may find a problem
    if dataset.x.size > _FEW and not any(map(_is_large, (dataset.x, dataset.y))):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        examples, aside = prepared.examples, prepared.calibration
        examples = examples if aside is None else {**examples, "calibration": aside}
    names = prepared.input_names if dataset.feature_names else ()
    dtype = prepared.network.dtype.name
    for part, rows in examples.items():
        _check(rows.x, part, "features", names, dtype)
        _check(rows.target, part, "target", dataset.target_names, dtype)


def _is_large(values: Array) -> bool:
    blocks = array_blocks(values)
    return any(bool((np.abs(block.astype(np.float64)) > _LARGE).any()) for block in blocks)


def _check(values: Array, part: str, key: str, names: Sequence[str], dtype: str) -> None:
    if all_finite(values):
        return
    row, column = np.argwhere(~np.isfinite(values).reshape(len(values), -1))[0]
    name = f"column '{names[column]}'" if column < len(names) else f"number {column} of a row"
    raise DatasetProblem(
        [
            (
                ("dataset", key),
                f"{name} leaves the range of {dtype} when it is prepared (row {row} of the {part} "
                "split); its values are too large, or its spread in training too small",
            )
        ]
    )


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
    prepared = Prepared(resolved, dataset, split, inferred, penalty, experiment.file, grid=cache)
    try:
        network = prepared.network
        of_training = (
            check_batches(prepared.config.training, network, len(split.train)),
            _rates(prepared),
        )
        mismatches = network_mismatches(network, prepared.config, dataset)
        mismatches += [each for each in of_training if each is not None]
        if mismatches:
            raise ConfigMismatchError(mismatches)
        _check_settings(prepared)
        too_much = excess(prepared.config, network, prepared.memory, cache)
        if too_much is not None:
            raise ConfigMismatchError([too_much])
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


def _check_settings(prepared: Prepared) -> None:
    """Raise a ConfigMismatchError where members cannot have one of their settings."""
    network, place = prepared.network, ("members", "settings")
    given = prepared.config.settings_of_members[1:] if prepared.config.networks > 1 else []
    mistakes = [
        found
        for index, values in enumerate(given)
        if (found := _mistake(prepared, values, (*place, index)))
    ]
    if mistakes:
        raise ConfigMismatchError(mistakes)
    for index, setting in enumerate(prepared.settings[1:]):
        found = _misfit(setting, network)
        if found is not None:
            path, message = found
            where = f"{format_path(path)}: " if path else ""
            raise ConfigMismatchError([((*place, index), where + message)])


def _mistake(prepared: Prepared, values: dict[str, Any], place: KeyPath) -> Mismatch | None:
    """The first mistake in a setting of members, at the key that it is in."""
    try:
        config_with(prepared.config, values)
    except OverrideError as error:
        return place, str(error)
    except ConfigError as error:
        first = error.problems[0]
        key = next((key for key in values if f"{first.path}.".startswith(f"{key}.")), None)
        path = place if key is None else (*place, key)
        return path, first.message if key == first.path else error.in_short
    return None


def _misfit(setting: Prepared, network: Network) -> Mismatch | None:
    """Why a setting cannot be that of a member beside a network of the first one."""
    try:
        own = setting.network
    except ConfigMismatchError as error:
        return error.problems[0]
    kinds = [(each.output_shape, gives_probabilities(each)) for each in (own, network)]
    found = [
        *network_mismatches(own, setting.config, setting.dataset),
        check_batches(setting.config.training, own, len(setting.split.train)),
        _rates(setting),
        None if kinds[0] == kinds[1] else ((), "it has other outputs than the config's network"),
    ]
    return next(filter(None, found), None)


def _beside(
    experiment: Experiment, config: BesideConfig, dataset: Dataset, split: Split
) -> PreparedBeside:
    mismatches = [*metric_mismatches(config, probabilistic=True, dataset=dataset)]
    if mismatches:
        raise _config_error(experiment, mismatches)
    return PreparedBeside(_resolve(config, dataset, split), dataset, split, file=experiment.file)


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
    """Iterations, counted from 0, at which learning rates are checked."""
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
