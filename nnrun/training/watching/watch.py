"""Watching a network while it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from nnrun.models.weights import weights_of
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.training.examples import PreparedSplit
from nnrun.training.watching.look import Look, Looker, norm
from nnrun.training.watching.watched import Watched, frame_arrays, is_of_looks

V = TypeVar("V")

# Up to this many, none has been left out.
_FEWEST = 4


@dataclass
class Spread(Generic[V]):
    """What was found at some evaluations, by iteration.

    Once there are more than `most`, every second one is left out, and none like these is kept from
    then on. The first one stays, and those that are added as `last`.

    Args:
        every: the updates between evaluations.
        most: how many are kept.
        step: one of this many evaluations is kept.
    """

    every: int
    most: int
    step: int = 1
    found: dict[int, V] = field(default_factory=dict)

    def wants(self, iteration: int, *, last: bool = False) -> bool:
        """Whether what is found at this iteration would be kept."""
        wanted = last or not self.found or self._is_regular(iteration)
        return wanted and iteration not in self.found

    def add(self, iteration: int, value: V, *, last: bool = False) -> None:
        """Keep a value that is wanted."""
        self.found[iteration] = value
        if not last and len(self.found) > self.most:
            self.step *= 2
            first = min(self.found)
            self.found = {
                each: kept
                for each, kept in self.found.items()
                if each == first or self._is_regular(each)
            }

    def restore(self, found: Mapping[int, V]) -> None:
        """Continue with what was kept before, without a last one that a longer run does not
        have.
        """
        places = sorted(found)
        if len(places) > _FEWEST:
            self.step = (places[2] - places[1]) // self.every
        self.found = {
            each: value
            for each, value in found.items()
            if each == places[0] or self._is_regular(each)
        }

    def _is_regular(self, iteration: int) -> bool:
        return iteration % (self.every * self.step) == 0


MOST_LOOKS, MOST_FRAMES = 100, 12
"""At most this many records, and frames, are kept besides the first and the last one."""
MOST_ROWS = 128
"""At most this many rows of the training split are used."""
MOST_PARAMETERS = 20_000
"""Networks with more parameters have no frames."""
# Where the layers together hold more numbers for the rows, fewer rows are looked at: 32, so that a
# look is quick, and two at least, so that it fits into memory.
_QUICK, _FITTING, _FEW = 250_000, 8_000_000, 32


class Watch:
    """Looks at a network at some of its evaluations, at the first and the last one always.

    Args:
        network: initialized.
        split: the training split.
        evaluate_every: the updates between evaluations.
        frames: whether weights are kept, too, if they are few.
    """

    def __init__(
        self, network: Network, split: PreparedSplit, evaluate_every: int, *, frames: bool
    ) -> None:
        self._network = network
        rows = sample_rows(network, len(split))
        sample = split.part(rows)
        self._looker = Looker(network, sample.x, sample.loss_target)
        self._sizes = [parameter.size for parameter in network.parameters.values()]
        self._looks = Spread[Look](evaluate_every, MOST_LOOKS)
        most = MOST_FRAMES if frames and network.size <= MOST_PARAMETERS else 0
        self._frames = Spread[dict[str, Array]](evaluate_every, most)

    def look(self, iteration: int, rate: float, *, last: bool = False) -> None:
        """Look at the network if it is one of the evaluations to look at.

        Args:
            iteration: the number of updates so far.
            rate: the learning rate of the last of them.
            last: whether this look is kept at any evaluation.
        """
        if self._looks.wants(iteration, last=last):
            look = {"rates": np.array(rate), **self._looker.look(self._network)}
            self._looks.add(iteration, look, last=last)
        if self._frames.most and self._frames.wants(iteration, last=last):
            weights = weights_of(self._network)
            if all(np.isfinite(array).all() for array in weights.values()):
                self._frames.add(iteration, weights, last=last)

    def awaits_update(self, iteration: int) -> bool:
        """Whether the update that follows this iteration is still to be measured."""
        look = self._looks.found.get(iteration)
        return look is not None and bool(np.isnan(look["updates.norm"]).all())

    def measure_update(self, iteration: int, before: Array) -> None:
        """Note how far an update has moved each parameter.

        Args:
            iteration: the number of updates before it.
            before: the network's `theta` then.
        """
        with np.errstate(all="ignore"):
            moved = self._network.theta.astype(np.float64) - before
        parts = np.split(moved, np.cumsum(self._sizes))[:-1]
        self._looks.found[iteration]["updates.norm"] = np.array([norm(part) for part in parts])

    @property
    def watched(self) -> Watched:
        """The record so far."""
        looks = sorted(self._looks.found.items())
        arrays = {
            name: np.array([look[name] for _, look in looks])
            for name in (looks[0][1] if looks else ())
        }
        arrays["iterations"] = np.array([iteration for iteration, _ in looks], np.int64)
        for iteration, weights in self._frames.found.items():
            arrays.update(frame_arrays(iteration, weights))
        values = {**self._looker.values, "frames": sorted(self._frames.found)}
        return Watched(arrays, values)

    def restore(self, watched: Watched) -> None:
        """Continue an earlier record of the same run, or of a shorter one."""
        arrays = {name: array for name, array in watched.arrays.items() if is_of_looks(name)}
        looks = {
            iteration: {name: array[index] for name, array in arrays.items()}
            for index, iteration in enumerate(watched.iterations)
        }
        self._looks.restore(looks)
        self._frames.restore(dict(watched.frames))


def sample_rows(network: Network, rows: int) -> Array:
    """The rows of a split to look at, evenly spread over it."""
    per_row = sum(layer.activation_count for layer in network.steps) or 1
    quick, fitting = max(_FEW, _QUICK // per_row), max(2, _FITTING // per_row)
    most = min(rows, MOST_ROWS, quick, fitting)
    return np.arange(most) * rows // most
