"""Network of a config and its data, and the mistakes that only shapes show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod
from typing import Any

import numpy as np

from nnrun.config.schema.experiment import BesideConfig, ExperimentConfig
from nnrun.config.schema.network import NetworkConfig
from nnrun.config.schema.training import TrainingConfig
from nnrun.config.yaml import KeyPath
from nnrun.data.dataset import Dataset, DatasetProblem, Task
from nnrun.data.split_rows import Split, SplitData
from nnrun.metrics.table import LOSS, Metric, are_unequal, find, names_of
from nnrun.models.model import Blocks, with_embeddings
from nnrun.models.task import gives_probabilities
from nnrun.nn.activations import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.losses import LOSSES
from nnrun.nn.network import LayerError, Network
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.sequential import Sequential
from nnrun.nn.signature import Array, shape_text
from nnrun.training.augment import Augmentation

# The task of a data file, inferred from the loss and the network.


@dataclass(frozen=True)
class InferredTask:
    """A task, and the reason for it."""

    task: Task
    reason: str


def infer_task(config: ExperimentConfig) -> InferredTask | None:
    """The task that the loss and the last layer imply; None if both tasks are possible.

    A table has one target, so several outputs mean classes. An npz file may have several targets;
    there, only a loss or an activation for classes means classes.
    """
    path = config.dataset.path
    if path is None or config.dataset.name is not None or isinstance(config, BesideConfig):
        return None
    loss = config.loss.type
    if loss in ("cross_entropy", "binary_cross_entropy"):
        return InferredTask("classification", f"as the loss {loss} says")
    if loss in ("pinball", "poisson"):
        return InferredTask("regression", f"as the loss {loss} says")
    last, units = last_layer(config.network)
    if last == "softmax":
        return InferredTask("classification", "as softmax at the end says")
    return None if config.dataset.columns is None else _of_table(loss, last, units)


def reason_of_task(config: ExperimentConfig) -> str | None:
    """The part of a resolved config that implies its task; None if the data set decides it."""
    implied = infer_task(config)
    return implied.reason if implied and implied.task == config.dataset.task else None


def _of_table(loss: str, last: str, units: int) -> InferredTask | None:
    if units > 1:
        return InferredTask("classification", f"as {units} outputs say")
    if units == 0 or last == "sigmoid":
        return None
    reason = f"as the loss {loss} and a single output without sigmoid say"
    return InferredTask("regression", reason)


def last_layer(network: NetworkConfig) -> tuple[str, int]:
    """The type of the last active layer, `linear` without any; and the number of outputs, or 0."""
    active_layers = Sequential([layer.build() for layer in network.layers]).active_layers
    layers = reversed(network.layers)
    units = next((found for layer in layers if (found := getattr(layer, "units", 0))), 0)
    return active_layers[-1].type if active_layers else "linear", units


# The metrics that a run computes beside those of its task, and whether they suit it.

_MONITOR: KeyPath = ("training", "early_stopping", "monitor")
_ORDER: KeyPath = ("sweep", "order_by")


def wanted_metrics(config: ExperimentConfig, dataset: Dataset) -> list[str]:
    """What `metrics` says, or by default what unequal classes need; then those named elsewhere."""
    asked = _by_default(config, dataset) if config.metrics is None else config.metrics
    named = (metric for _, metric in _named(config) if find(metric) and not _is_usual(metric))
    return list(dict.fromkeys([*asked, *named]))


def metric_mismatches(
    config: ExperimentConfig, probabilistic: bool, dataset: Dataset
) -> Iterator[tuple[KeyPath, str]]:
    """Metrics that the run cannot compute, wherever the config names them.

    `probabilistic` is whether outputs are probabilities of classes.
    """
    listed = [(("metrics", index), name) for index, name in enumerate(config.metrics or ())]
    sizes = {"validation": config.dataset.validation_size, "test": config.dataset.test_size}
    said = set()
    for path, name in [*_named(config), *listed]:
        problem = unsuitable(name, probabilistic, dataset)
        if problem is None and path[0] == "published":
            split = str(path[1]).partition("_")[0]
            problem = f"there is no {split} split" if sizes.get(split, 1) == 0 else None
        # The resolved list has those named elsewhere, too.
        if problem is not None and (path[0] != "metrics" or name not in said):
            said.add(name)
            yield path, problem


def unsuitable(name: str, probabilistic: bool, dataset: Dataset) -> str | None:
    """Why a metric cannot be computed for these outputs and data; None if it can."""
    metric = find(name)
    if metric is None:
        return None
    if metric.task != dataset.task:
        known = ", ".join((LOSS, *filter(_is_usual, names_of(dataset.task))))
        return f"{dataset.task} has no {name}; there are {known}, and more in `nnrun help metrics`"
    if metric.needs == "probabilities" and not probabilistic:
        return f"{name} needs probabilities: end the network in softmax, or in one sigmoid unit"
    if metric.one_output and dataset.outputs > 1:
        return f"{name} is for one number to predict, and {dataset.name} has {dataset.outputs}"
    return _wrong_classes(metric, len(dataset.classes), dataset.name)


def _wrong_classes(metric: Metric, classes: int, dataset: str) -> str | None:
    if metric.options.get("average") == "binary" and classes != 2:
        other = metric.name.replace("binary", "macro")
        return f"{metric.name} is for two classes, and {dataset} has {classes}; write {other}"
    if metric.options.get("k", 0) >= classes > 0:
        return f"{metric.name} is always 1 for the {classes} classes of {dataset}"
    return None


def _by_default(config: ExperimentConfig, dataset: Dataset) -> list[str]:
    if dataset.task != "classification":
        return []
    if not are_unequal((dataset.whole or dataset).class_counts):
        return []
    beside = isinstance(config, BesideConfig)
    last, units = ("softmax", 0) if beside else last_layer(config.network)
    probabilistic = last == "softmax" or (last == "sigmoid" and units == 1)
    return ["balanced_accuracy", *(["roc_auc"] if probabilistic else [])]


def _named(config: ExperimentConfig) -> Iterator[tuple[KeyPath, str]]:
    """The metrics that other keys than `metrics` name, with the paths of these keys."""
    if not isinstance(config, BesideConfig) and config.training.early_stopping is not None:
        monitor = config.training.early_stopping.monitor
        yield _MONITOR, monitor.removeprefix("validation_")
    if config.sweep is not None and config.sweep.order_by is not None:
        yield _ORDER, config.sweep.order_by
    for key in config.published.numbers if config.published else ():
        yield ("published", key), key.partition("_")[2]


def _is_usual(name: str) -> bool:
    metric = find(name)
    return metric is not None and metric.always


Mismatch = tuple[KeyPath, str]
"""The key of the config that is at fault, and a message."""


class ConfigMismatchError(ValueError):
    """The network does not fit the data or the loss; `problems` has all that was found."""

    def __init__(self, problems: Sequence[Mismatch]) -> None:
        super().__init__("; ".join(message for _, message in problems))
        self.problems = problems


def build_network(
    config: ExperimentConfig,
    dataset: Dataset,
    penalty: L2Penalty | None = None,
    *,
    weighted: bool = False,
    added: int = 0,
) -> Network:
    """The network of a config for a data set; it takes no memory yet.

    `added` is the number of columns that the preparation adds.

    Raises: ConfigMismatchError if its layers do not fit together.
    """
    blocks: Blocks = [layer.build() for layer in config.network.layers]
    sequence = Sequential(blocks)
    images = sequence.input_kind == "images"
    blocks = with_embeddings(blocks, dataset.columns)
    shape = dataset.shape if images else (prod(dataset.shape) + added,)
    if images and len(shape) == 1 and any(one.is_series for _, one in sequence.named_layers()):
        shape = 1, 1, *shape  # the numbers of a table, in the order of its columns
    try:
        return Network(
            blocks, config.loss.build(), shape, config.training.dtype, penalty, weighted=weighted
        )
    except LayerError as error:
        field = (error.field,) if error.field else ()
        raise ConfigMismatchError([(("network", *error.place, *field), str(error))]) from None


def network_mismatches(
    network: Network, config: ExperimentConfig, dataset: Dataset
) -> list[Mismatch]:
    """Mistakes by which a network does not fit the data, the loss or the rest of the config."""
    return [
        *_softmax_in_the_middle(network),
        *_outputs(network, dataset),
        *_loss(network, config.loss.type, dataset),
        *_least_target(config, dataset),
        *_single_rows(network, config),
        *_decision(network, config, dataset),
        *augmentation_mismatches(config, dataset),
        *metric_mismatches(config, gives_probabilities(network), dataset),
    ]


def _softmax_in_the_middle(network: Network) -> Iterator[Mismatch]:
    last = ("layers", len(network.blocks) - 1)
    for place, layer in network.named_layers():
        if layer.type == "softmax" and place != last:
            message = "softmax belongs in the last layer: it makes a distribution over the classes"
            yield ("network", *place, "activation"), message


def _outputs(network: Network, dataset: Dataset) -> Iterator[Mismatch]:
    path = ("network", "layers", len(network.blocks) - 1)
    if len(network.output_shape) != 1:
        shape = shape_text(network.output_shape)
        advice = "put a flatten and a dense layer after them"
        yield path, f"the network ends in images of {shape}; {advice}"
        return
    units, wanted = network.output_shape[0], dataset.outputs
    outputs = f"{units} output" + "s" * (units != 1)
    if dataset.task == "regression":
        if units != wanted:
            numbers = "number" + "s" * (wanted != 1)
            message = f"{outputs}, but {dataset.name} has {wanted} {numbers} to predict"
            yield (*path, "units"), message
        return
    one_for_two = units == 1 and wanted == 2 and _last_activation(network) != "softmax"
    if units != wanted and not one_for_two:
        either = f"{wanted} units" + (", or 1 with sigmoid" if wanted == 2 else "")
        message = f"{outputs}, but {dataset.name} has {wanted} classes; use {either}"
        yield (*path, "units"), message


def _loss(network: Network, loss: str, dataset: Dataset) -> Iterator[Mismatch]:
    activation = _last_activation(network)
    path = ("network", "layers", len(network.blocks) - 1, "activation")
    needed = LOSSES[loss].needs
    if needed in ("softmax", "sigmoid") and dataset.task == "regression":
        yield ("loss",), f"{loss} is for classes, but {dataset.name} is regression"
    elif needed is not None and activation != needed:
        yield path, f"loss {loss} needs {needed} in the last layer, but this is {activation}"
    elif dataset.task == "regression" and activation == "softmax":
        yield path, "softmax makes a distribution over classes; regression needs linear"


def _least_target(config: ExperimentConfig, dataset: Dataset) -> Iterator[Mismatch]:
    """A loss that takes no targets below a number; scaled ones have other numbers."""
    loss, scaled = config.loss.type, config.dataset.target
    least = LOSSES[loss].least_target
    if least is None or dataset.task != "regression":
        return
    if scaled != "none":
        message = f"the loss {loss} needs targets of {least:g} or more; {scaled} moves them below"
        yield ("dataset", "target"), f"{message}: write none"
    smallest = float(dataset.pooled_y.min())
    if smallest < least:
        message = f"{loss} needs targets of {least:g} or more, but {dataset.name} has {smallest:g}"
        yield ("loss",), message


def _single_rows(network: Network, config: ExperimentConfig) -> Iterator[Mismatch]:
    if config.training.batch_size == 1:
        for place, layer in network.named_layers():
            if layer.needs_rows:
                yield ("network", *place), f"{needs_rows(layer)}; raise training.batch_size"


def needs_rows(layer: Layer) -> str:
    """Why a layer cannot be trained on a single row."""
    vectors = len(layer.input_shape) == 1
    what = "vectors" if vectors else f"images of {shape_text(layer.input_shape)}"
    return f"{layer.type} on {what} needs batches of more than one row"


def _decision(network: Network, config: ExperimentConfig, dataset: Dataset) -> Iterator[Mismatch]:
    """A threshold needs the probability of one of two classes."""
    decide, classes = config.decide, dataset.classes
    if decide is None:
        return
    single = len(network.output_shape) == 1 and network.output_shape[0] == 1
    if dataset.task == "regression":
        yield ("decide",), f"a threshold decides between classes, but {dataset.name} is regression"
    elif len(classes) != 2:
        count = len(classes)
        yield ("decide",), f"a threshold decides between two classes; {dataset.name} has {count}"
    elif _last_activation(network) != "softmax" and not (
        single and _last_activation(network) == "sigmoid"
    ):
        message = "a threshold needs probabilities: end in softmax, or in one unit with sigmoid"
        yield ("decide",), message
    elif decide.positive_class(classes) is None:
        message = f"'{decide.positive}' is neither of the classes {' and '.join(classes)}"
        yield ("decide", "positive"), message


def _last_activation(network: Network) -> str:
    """The type of the last activation; `linear` if there is none."""
    last = network.layers[-1]
    return last.type if isinstance(last, Activation) else "linear"


_AUGMENT: KeyPath = ("training", "augment")


def augmentation_of(config: ExperimentConfig) -> Augmentation | None:
    """What a config changes in training rows; None if nothing."""
    block = config.training.augment
    found = None if block is None else Augmentation(**block.model_dump())
    return None if found in (None, Augmentation()) else found


def augmentation_mismatches(
    config: ExperimentConfig, dataset: Dataset
) -> Iterator[tuple[KeyPath, str]]:
    """Changes that the rows of a data set cannot have."""
    wanted, shape = augmentation_of(config), dataset.shape
    if wanted is None:
        return
    if len(shape) != 3:
        for key in ("shift", "flip", "rotate"):
            if getattr(wanted, key):
                message = f"{key} is for images, and the rows of {dataset.name} are none; "
                yield (*_AUGMENT, key), f"{message}tables take noise alone"
    elif wanted.shift >= min(shape[1:]):
        message = f"the images are no larger than this: {shape_text(shape[1:])} pixels"
        yield (*_AUGMENT, "shift"), message


_BATCH = ("training", "batch_size")


def check_batches(training: TrainingConfig, network: Network, rows: int) -> Mismatch | None:
    """What is wrong with the batch size for a training split of `rows` rows, if anything.

    A last batch of one row has a variance of 0, which batch normalisation would learn once an
    epoch; PyTorch refuses it too. Rows that are drawn with replacement fill every batch.
    """
    size = training.batch_size
    if size > rows:
        message = f"a batch of {size} rows is larger than the training split, which has {rows}"
        return _BATCH, message
    if training.sampling == "with_replacement" or rows % size != 1:
        return None
    layer = next((layer for _, layer in network.named_layers() if layer.needs_rows), None)
    if layer is None:
        return None
    message = (
        f"{rows} rows in batches of {size} leave a last batch of a single row, and "
        f"{needs_rows(layer)}; use batch_size {_better(size, rows)}"
    )
    return _BATCH, message


def _better(size: int, rows: int) -> int:
    """The nearest batch size that leaves no single row, the larger of two; `rows` always works."""
    near = (size + sign * step for step in count(1) for sign in (1, -1))
    return next(found for found in near if 1 < found <= rows and rows % found != 1)


# The weight of each row in the loss, from the column of weights and the weights of classes.

_COLUMN = ("dataset", "columns", "weight")
_CLASSES = ("training", "class_weight")


def class_factors(
    rule: str | Mapping[str, float] | None, classes: Sequence[str], train: SplitData
) -> Array | None:
    """The factor of each class, (classes,); None if classes have no weights.

    `balanced` gives all classes the same sum of weights in the training split, as scikit-learn's
    `compute_class_weight` does: the sum of all weights, divided by the number of classes there and
    by the sum of the class. A label without a weight has 1.
    """
    if rule is None:
        return None
    if not isinstance(rule, str):
        return np.array([rule.get(name, 1.0) for name in classes])
    sums = np.bincount(train.y, train.weight, len(classes)).astype(np.float64)
    there = sums > 0
    factors = np.ones(len(classes))
    factors[there] = sums.sum() / (there.sum() * sums[there])
    return factors


def row_weights(y: Array, weight: Array | None, factors: Array | None) -> Array | None:
    """The weight of each row, the class's included; None if rows have no weights."""
    if factors is None:
        return weight
    by_class: Array = factors[y]
    return by_class if weight is None else by_class * weight


def relative(weights: Array | None) -> Array | None:
    """The weights divided by their mean, so that a loss over all rows is a weighted mean."""
    if weights is None:
        return None
    largest = float(weights.max(initial=0))
    if not largest:
        return weights
    scaled = weights / largest  # the sum of large weights may overflow
    found: Array = scaled / scaled.mean()
    return found


def check_weights(
    split: Split, classes: Sequence[str], rule: str | Mapping[str, float] | None
) -> None:
    """Raise a DatasetProblem if weights leave a split without rows, or name unknown classes."""
    problems: list[tuple[Any, str]] = []
    if isinstance(rule, Mapping):
        known = ", ".join(classes[:10]) + ", …" * (len(classes) > 10)
        problems += [
            ((*_CLASSES, name), f"'{name}' is no class; the classes are {known}")
            for name in rule
            if name not in classes
        ]
    if rule is not None and not classes:
        problems = [(_CLASSES, "there are no classes: this is regression")]
    factors = None if problems else class_factors(rule, classes, split.train)
    for name, part in {"train": split.train, **split.untrained}.items():
        if part.weight is not None and not part.weight.any():
            problems.append((_COLUMN, f"every row of the {name} split has a weight of 0"))
        elif factors is not None and not np.any(row_weights(part.y, part.weight, factors)):
            problems.append((_CLASSES, f"every row of the {name} split has a weight of 0"))
    if problems:
        raise DatasetProblem(problems)
