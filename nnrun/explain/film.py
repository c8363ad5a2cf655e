"""Surfaces at some moments of training: what a network with one or two features learns, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnrun.data.dataset import Dataset
from nnrun.data.splits.parts import SplitData
from nnrun.explain.surfaces import Surfaces, extent_of, surfaces
from nnrun.models.model import Model
from nnrun.models.weights import load_weights, weights_of
from nnrun.nn.signature import Array
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.state import HistoryRow
from nnrun.training.trainer import Trainer
from nnrun.training.watching.watch import MOST_PARAMETERS, Spread

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
            kept.add(iteration, weights_of(network))

    execution.train(Listener(decides=True, evaluated=evaluated), until)
    last, notes = _ending(trainer)
    # Kept in any case, also if this moment was kept before.
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
