"""Whole numbers that are valid wherever they lie between two valid ones.

A network of 100 hidden units is valid if those of 10 and of 1,000 are, since its memory and the
code for it grow with the units; so are 100 channels, and 100 iterations, since what bounds the
learning rates of a schedule bounds its length, and batches up to the training rows. So only the
ends are checked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from nnrun.config.yaml.parse import KeyPath
from nnrun.runs.preparation.prepared import Prepared
from nnrun.sweeps.planning.grid.numbers import FOLLOWING

_BATCHES = ("training", "batch_size")
_OF_TRAINING = {
    ("training", "iterations"),
    ("training", "epochs"),
    _BATCHES,
    ("training", "early_stopping", "patience"),
}
_FOLLOWING = {("training", key) for key in FOLLOWING}
# Layers with outputs of a number of their own, whatever number they get, and the key of that.
_OUTPUTS = {"dense": "units", "matmul": "units", "conv2d": "channels"}
# Those that take each feature or channel for itself.
_ALIKE = {"activation", "avg_pool2d", "batch_norm", "bias", "dropout", "flatten", "max_pool2d"}


def may_join(path: KeyPath, others: Collection[tuple[str, ...]]) -> bool:
    """Whether the key at a path may have such values, in a grid with these other keys."""
    if path[0] == "training":
        return path in _OF_TRAINING and not _FOLLOWING & {*others}
    return path[:2] == ("network", "layers") and path[3:] in [(key,) for key in _OUTPUTS.values()]


def join(paths: Iterable[KeyPath], prepared: Prepared) -> bool:
    """Whether this holds for the numbers at these paths of a config, if there are any.

    What parts of plugins refuse is unknown, so that nothing is joined beside them, blocks neither.
    """
    return not prepared.plugins and all(_joins(path, prepared) for path in paths)


def _joins(path: KeyPath, prepared: Prepared) -> bool:
    if path == _BATCHES:  # rows and batches decide whether the last batch is a single row
        return not any(layer.needs_rows for _, layer in prepared.network.named_layers())
    if path[0] == "training":
        return True
    # Of hidden layers: the data decide on the last one.
    layers = prepared.config.network.layers[int(path[2]) :]
    after = (layer.type for layer in layers[1:] if layer.type not in _ALIKE)
    return layers[0].type in _OUTPUTS and next(after, "") in _OUTPUTS
