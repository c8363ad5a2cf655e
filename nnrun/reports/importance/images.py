"""Which pixels a network looks at: the mean gradient of its input, and occlusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.data.splits.parts import SplitData
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.network import chunk_rows
from nnrun.nn.signature import Array

MOST_ROWS = 500
_MOST_CLASSES = 10


@dataclass(frozen=True, eq=False)
class PixelMap:
    """Two pictures of the pixels that count for one class, or for the value of a regression.

    Args:
        name: of the class; "value" for a regression.
        rows: how many images of the class they are the mean of.
        gradient: (height, width), of the output for the class with respect to the prepared pixels,
            summed over channels.
        occlusion: (height, width), what the probability of the class loses where a patch has the
            mean pixels of these images; for a regression, how far the value moves.
    """

    name: str
    rows: int
    gradient: Array
    occlusion: Array


def pixel_maps(model: Model, part: SplitData) -> list[PixelMap]:
    """The maps of the first classes, from the first images of a split."""
    x, y = part.raw.between(0, MOST_ROWS), part.y[:MOST_ROWS]
    if isinstance(model.task, Classification):
        names = model.layout.classes[:_MOST_CLASSES]
        groups = [(name, label, y == label) for label, name in enumerate(names)]
    else:
        groups = [("value", 0, np.ones(len(y), np.bool_))]
    lost = _occluded(model, x, y)
    return [
        PixelMap(name, int(own.sum()), _gradient(model, x[own], output), lost[own].mean(axis=0))
        for name, output, own in groups
        if own.any()
    ]


def _gradient(model: Model, x: Array, output: int) -> Array:
    """The mean gradient of one output; of two classes with one output, that of the second."""
    network, total = model.network, np.zeros(model.layout.shape)
    sign = 1.0
    if network.output_shape[0] == 1 and isinstance(model.task, Classification):
        sign, output = (1.0 if output else -1.0), 0
    for start in range(0, len(x), step := chunk_rows(network)):
        ready = model.preprocessing.transform_x(x[start : start + step])
        rows = np.ascontiguousarray(ready.reshape(-1, *network.input_shape), network.dtype)
        dy = np.zeros_like(network.forward(rows))
        dy[:, output] = sign
        total += network.backward(dy).sum(axis=0, dtype=np.float64).reshape(total.shape)
    mean: Array = total.sum(axis=0) / len(x)
    return mean


def _occluded(model: Model, x: Array, y: Array) -> Array:
    """What each image loses where a patch is covered: (rows, height, width)."""
    height, width = x.shape[2:]
    side = max(1, min(height, width) // 4)
    step = max(1, side // 2)
    mean, own = x.mean(axis=0, dtype=np.float64), _of_target(model, x, y)
    lost, covered = np.zeros((len(x), height, width)), np.zeros((height, width))
    for top in range(0, height - side + 1, step):
        for left in range(0, width - side + 1, step):
            place = (slice(top, top + side), slice(left, left + side))
            changed = x.astype(np.float64)
            changed[:, :, *place] = mean[:, *place]
            lost[:, *place] += (own - _of_target(model, changed, y))[:, None, None]
            covered[place] += 1
    return np.asarray(lost / np.maximum(covered, 1))


def _of_target(model: Model, x: Array, y: Array) -> Array:
    """The probability of the true class, or the output for it; the value of a regression."""
    outputs, task = model.evaluate(x), model.task
    if not isinstance(task, Classification):
        return task.decode(outputs)[:, 0]
    found = task.probabilities(outputs)
    found = outputs if found is None else found
    if found.shape[1] == 1:
        return np.where(y == 1, found[:, 0], -found[:, 0])
    return np.asarray(found[np.arange(len(y)), y])
