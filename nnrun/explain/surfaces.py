"""What a network with one or two features computes over a grid: its outputs and every hidden unit.

The points of a grid are raw rows, as the data have them; the preprocessing is applied. Arrays over
a grid are (side, side) with rows from bottom to top, for a single feature (side,).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnrun.data.dataset import Dataset
from nnrun.data.split_rows import SplitData
from nnrun.models.load import load_weights, weights_of
from nnrun.models.model import Model
from nnrun.models.task import Classification, Task
from nnrun.nn.layer import Layer
from nnrun.nn.layers.residual import Residual
from nnrun.nn.sequential import Sequential
from nnrun.nn.signature import Array
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.state import HistoryRow
from nnrun.training.trainer import Trainer
from nnrun.training.watch import MOST_PARAMETERS, Spread

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
        values = last.units.reshape(len(last.units), -1).T
        if isinstance(trained, Model) and len(trained.networks) > 1:
            values = trained.forward(x)  # hidden units are those of the first network
        outputs, classes = _meaning(trained.task, values)
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


# Surfaces at some moments of training: what a network with one or two features learns, and how.

SIDES = {1: 64, 2: 32}
"""The points of a grid along each axis, for one or two features."""
MOST_FRAMES = 8
"""This many moments of training are shown."""
_MOST_ROWS = 100
_EARLY = 1.5

Frames = Sequence[tuple[int, Mapping[str, Array]]]
"""Iterations, each with the weights and buffers by name."""


@dataclass(frozen=True, eq=False)
class Film:
    """A network over a grid at some moments of its training.

    Args:
        features: the names of the axes: one or two.
        outputs: the names of the outputs: classes, or targets.
        x: some training rows (rows, features), as the data have them.
        y: their class numbers (rows,) or targets (rows, targets).
        frames: iterations, ascending, each with the surfaces after this many updates.
        notes: what differs from the training of a run.
    """

    features: Sequence[str]
    outputs: Sequence[str]
    x: Array
    y: Array
    frames: Sequence[tuple[int, Surfaces]]
    notes: Sequence[str] = ()

    @property
    def extent(self) -> tuple[float, ...]:
        """The ends of the grid: left, right, bottom, top; of one feature left and right."""
        return self.frames[-1][1].extent


def film_of(
    trained: Model | Prepared, dataset: Dataset, train: SplitData, frames: Frames
) -> Film | None:
    """The surfaces of a network with the weights of each frame, which it keeps.

    At most `MOST_FRAMES` are taken: the first and the last one, and more early ones than late
    ones, since networks change most at first. None if rows are not one or two numbers, or there
    are no frames.
    """
    if not frames or not dataset.layout.is_drawn:
        return None
    some = train.raw.between(0, _MOST_ROWS).reshape(-1, dataset.shape[0]).astype(np.float64)
    extent = extent_of(train.x)
    shares = np.linspace(0, 1, min(MOST_FRAMES, len(frames)))
    power = _EARLY if len(frames) > MOST_FRAMES else 1.0
    places = np.unique(((len(frames) - 1) * shares**power).round().astype(int))
    shown = []
    for iteration, weights in (frames[place] for place in places.tolist()):
        load_weights(trained.network, dict(weights))
        shown.append((iteration, surfaces(trained, extent, SIDES[len(extent) // 2])))
    names = [f"feature {index}" for index in range(len(extent) // 2)]
    return Film(
        dataset.feature_names or names,
        dataset.classes or dataset.target_names or ("value",),
        some,
        train.y[: len(some)],
        shown,
    )


_MOST_KEPT = 24
# Training ends after about this many multiplications and additions, some two seconds; an update
# takes at least the time of this many of them.
_MOST_WORK, _UPDATE = 4e9, {"compiled": 2_000, "numpy": 100_000}


def filmed_training(prepared: Prepared) -> Film | None:
    """Train a run once more, in memory, and show it on the way; its bits are those of any run.

    None if there is nothing to show. Ends early, with a note, where training would take long.
    """
    network = prepared.network
    if network.size > MOST_PARAMETERS or not prepared.dataset.layout.is_drawn:
        return None
    execution, until = Execution(prepared), _longest(prepared)
    trainer = execution.trainer
    if until is not None and trainer.stopping is None and not trainer.schedule.follows_loss:
        # Nothing depends on evaluations, and those of the run may be far apart.
        trainer.evaluate_every = -(-until // _MOST_KEPT)
    kept = Spread[Mapping[str, Array]](trainer.evaluate_every, _MOST_KEPT)
    kept.add(0, weights_of(network))

    def evaluated(run: Prepared, rows: Sequence[HistoryRow]) -> None:
        iteration = int(rows[-1]["iteration"])
        if kept.wants(iteration):
            with trainer.averaged():
                kept.add(iteration, weights_of(network))

    execution.train(Listener(decides=True, evaluated=evaluated), until)
    last, notes = _ending(trainer)
    # Kept in any case, also if this moment was kept before.
    with trainer.averaged():
        kept.found[last] = weights_of(network)
    film = film_of(prepared, prepared.dataset, prepared.split.train, sorted(kept.found.items()))
    return None if film is None else replace(film, notes=notes)


def _ending(trainer: Trainer) -> tuple[int, list[str]]:
    """The iteration that the network's weights are of, and what is unusual about them."""
    last, planned, found = trainer.iteration, trainer.iterations, trainer.divergence
    if found is not None:
        kept = found.last_good_iteration if found.cause == "not_finite" else last
        return kept, [f"training diverges at iteration {found.iteration:,}"]
    if trainer.goes_on:
        return last, [f"training anew ends at iteration {last:,} of {planned:,}: it takes long"]
    if trainer.best:
        return last, ["at the end the best weights are put back, as in training"]
    return last, []


def _longest(prepared: Prepared) -> int | None:
    """The iteration after which training anew takes too long; None if it ends before."""
    flops = sum(layer.flops for layer in prepared.network.steps)
    rows = sum(map(len, prepared.examples.values()))
    update = 3 * flops * prepared.config.training.batch_size + _UPDATE[prepared.engine]
    evaluation = flops * (prepared.evaluate_rows or rows) / prepared.evaluate_every
    most = int(_MOST_WORK / (update + evaluation))
    return None if most >= prepared.iterations else max(1, most)
