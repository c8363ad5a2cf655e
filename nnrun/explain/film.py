"""Surfaces at some moments of training: what a network with one or two features learns, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnrun.data.dataset import Dataset
from nnrun.data.splits.parts import SplitData
from nnrun.explain.surfaces import Surfaces, extent_of, has_surfaces, surfaces
from nnrun.models.model import Model
from nnrun.models.weights import load_weights
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepared import Prepared

SIDES = {1: 64, 2: 32}
"""The points of a grid along each axis, for one or two features."""
MOST_FRAMES = 8
"""So many moments of training are shown."""
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
        frames: iterations, ascending, each with the surfaces after so many updates.
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
    if not frames or not has_surfaces(dataset.layout):
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
