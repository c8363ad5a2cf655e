"""From a config and its data to a network, and the mistakes that only shapes show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from math import prod

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.schema.training import TrainingConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.data.dataset import Dataset
from nnrun.models.embeddings import Blocks, with_embeddings
from nnrun.models.task import gives_probabilities
from nnrun.nn.activations import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.losses import LOSSES
from nnrun.nn.network import LayerError, Network
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.sequential import Sequential
from nnrun.nn.signature import shape_text
from nnrun.runs.preparation.wanted_metrics import metric_mismatches
from nnrun.training.augmentation.augment import Augmentation

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
) -> Network:
    """The network of a config for a data set; it takes no memory yet.

    Raises: ConfigMismatchError if its layers do not fit together.
    """
    blocks: Blocks = [layer.build() for layer in config.network.layers]
    images = Sequential(blocks).input_kind == "images"
    blocks = with_embeddings(blocks, dataset.columns)
    shape = dataset.shape if images else (prod(dataset.shape),)
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
    """Where a network does not fit the data, the loss or the rest of the config."""
    return [
        *_softmax_in_the_middle(network),
        *_outputs(network, dataset),
        *_loss(network, config.loss.type, dataset),
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
    if needed is not None and dataset.task == "regression":
        yield ("loss",), f"{loss} is for classes, but {dataset.name} is regression"
    elif needed is not None and activation != needed:
        yield path, f"loss {loss} needs {needed} in the last layer, but this is {activation}"
    elif dataset.task == "regression" and activation == "softmax":
        yield path, "softmax makes a distribution over classes; regression needs linear"


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
