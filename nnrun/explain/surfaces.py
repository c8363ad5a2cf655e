"""What a network with one or two features computes over a grid: its outputs and every hidden unit.

The points of a grid are raw rows, as the data have them; the preprocessing is applied. Arrays over
a grid are (side, side) with rows from bottom to top, for a single feature (side,).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nnrun.models.model import Model
from nnrun.models.task import Classification, Task
from nnrun.nn.layer import Layer
from nnrun.nn.layers.residual import Residual
from nnrun.nn.sequential import Sequential
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepared import Prepared

Extent = tuple[float, ...]
"""The ends of a grid: left, right, bottom, top; of a single feature left and right."""

_ROOM = 0.08  # around the rows, as a share of their range
_UNCHANGED = ("dropout", "flatten")  # the output of these in evaluation is their input


@dataclass(frozen=True, eq=False)
class LayerSurfaces:
    """The units of one hidden layer over a grid.

    Args:
        place: of the layer in the config's network, such as `0`; layers inside layers are `1.0`.
        kind: its type, with its activation: `dense, tanh`.
        units: (units, side, side), or (units, side) for a single feature.
    """

    place: str
    kind: str
    units: Array


@dataclass(frozen=True, eq=False)
class Surfaces:
    """A network over a grid.

    Args:
        extent: of the grid.
        layers: the hidden layers, in order.
        outputs: (outputs, side, side): the probability of each class, where the network has
            probabilities, else what it gives for each class; values in units of the target.
        classes: the predicted class numbers (side, side); None for regression.
        probabilistic: whether outputs are probabilities.
    """

    extent: Extent
    layers: Sequence[LayerSurfaces]
    outputs: Array
    classes: Array | None
    probabilistic: bool


def extent_of(x: Array) -> Extent:
    """The ends of a grid around raw rows (rows, features)."""
    low, high = (end(x, axis=0).astype(np.float64) for end in (np.nanmin, np.nanmax))
    room = np.where(high > low, (high - low) * _ROOM, 1.0)
    ends = np.stack([low - room, high + room], axis=1)
    return tuple(ends.ravel().tolist())


def grid_rows(extent: Extent, side: int) -> Array:
    """The points of a grid as raw rows: (side · side, 2), or (side, 1) for a single feature."""
    axes = [np.linspace(low, high, side) for low, high in zip(*[iter(extent)] * 2, strict=True)]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))


def surfaces(trained: Model | Prepared, extent: Extent, side: int) -> Surfaces:
    """The outputs and all hidden units over a grid, in one pass with the current weights.

    Args:
        trained: a loaded model, or a prepared run with an initialized network, which may be in
            training; between two updates this leaves training as it is.
        extent: the ends of the grid, in units of the raw features.
        side: the points along each axis.
    """
    network, shape = trained.network, (side,) * (len(extent) // 2)
    ready = trained.preprocessing.transform_x(grid_rows(extent, side))
    x = np.ascontiguousarray(ready.reshape(-1, *network.input_shape), network.dtype)
    layers = []
    # Values may overflow while training diverges; the arrays show it.
    with np.errstate(all="ignore"):
        for place, block, y in _passed(network, x):
            layers.append(LayerSurfaces(place, _kind(block), _over_grid(y, shape)))
        last = layers.pop()
        outputs, classes = _meaning(trained.task, last.units.reshape(len(last.units), -1).T)
    return Surfaces(
        extent,
        [layer for layer in layers if layer.kind not in _UNCHANGED],
        _over_grid(outputs, shape),
        None if classes is None else classes.reshape(shape),
        isinstance(trained.task, Classification) and trained.task.probabilistic,
    )


def _passed(
    layers: Sequential, x: Array, inside: str = ""
) -> Iterator[tuple[str, list[Layer], Array]]:
    """The place, layers and output of each block; blocks inside a layer come before it."""
    for index, block in enumerate(layers.blocks):
        place = f"{inside}{index}"
        for layer in block:
            if isinstance(layer, Residual):
                yield from _passed(layer.inner, x, f"{place}.")
            x = layer.forward(x)
        yield place, block, x


def _over_grid(y: Array, shape: tuple[int, ...]) -> Array:
    """(points, numbers) as (numbers, side, side), in memory of its own."""
    return np.array(y.reshape(len(y), -1).T, np.float64).reshape(-1, *shape)


def _meaning(task: Task, outputs: Array) -> tuple[Array, Array | None]:
    """The outputs (points, outputs) in words of the task, and class numbers if there are any."""
    if not isinstance(task, Classification):
        return task.decode(outputs), None
    probabilities = task.probabilities(outputs)
    return outputs if probabilities is None else probabilities, task.decode(outputs)


def _kind(block: list[Layer]) -> str:
    """The layer's type in a config, with its activation."""
    types = [layer.type for layer in block if not layer.identity and layer.type != "bias"]
    return ", ".join("dense" if name == "matmul" else name for name in types) or "linear"
