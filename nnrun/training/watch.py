"""One look at a network: a forward and a backward pass over the same rows each time.

What is looked at are the outputs of its layers, and its activations with their slopes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Any, Generic, TypeVar

import numpy as np

from nnrun.models.load import weights_of
from nnrun.nn.activations.base import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network
from nnrun.nn.sequential import dotted
from nnrun.nn.signature import Array, Shape
from nnrun.training.state import PreparedSplit
from nnrun.training.watched import BINS, Watched, frame_arrays, is_of_looks

FLAT = 0.05
"""A slope |f'| is flat at less than this share of the function's largest one."""
MOST_ROWS = 0.95
"""A unit is saturated if it is flat, but not dead, for at least this share of the rows."""
# The largest slope is looked for at these inputs.
_INPUTS = np.linspace(-8, 8, 129)
# A function is linear if its slopes are the same where the inputs are shifted by so much.
_SHIFT, _SAME = 3.7, 1e-9


@dataclass(frozen=True)
class Site:
    """The output of a layer of the config, which the last of its parts computes."""

    place: str
    type: str
    last: Layer


@dataclass(frozen=True)
class Units:
    """A hidden activation: a layer that computes y = f(x) elementwise, with f not linear.

    `slope` returns f'(x) for the rows of the last pass; `steepest` is the largest |f'|.
    """

    place: str
    type: str
    shape: Shape
    slope: Callable[[Array], Array]
    steepest: float

    def shares(self, rows: int) -> tuple[float, float]:
        """The shares of dead and of saturated units, in a pass of this many rows.

        A unit of an image is a channel.
        """
        slope = np.abs(self.slope(np.ones((rows, *self.shape))))
        over = tuple(axis for axis in range(slope.ndim) if axis != 1)
        dead = (slope == 0).all(axis=over)
        flat = (slope < FLAT * self.steepest).mean(axis=over) >= MOST_ROWS
        return float(dead.mean()), float((flat & ~dead).mean())


def sites_of(network: Network) -> list[Site]:
    """The layers that learn or are activations, in the order of the forward pass."""
    found: dict[str, Site] = {}
    learning: set[str] = set()
    for place, layer in network.named_layers():
        if layer in network.steps:
            name = dotted(place)
            found[name] = Site(name, layer.type, layer)
            if layer.learns or isinstance(layer, Activation):
                learning.add(name)
    return [site for site in found.values() if site.place in learning]


def units_of(network: Network) -> list[Units]:
    """The hidden activations of an initialized network, regardless of their names."""
    last = network.blocks[-1]
    found = []
    for place, layer in network.named_layers():
        if layer in network.steps and layer not in last and (steepest := _steepest(layer)):
            found.append(
                Units(dotted(place), layer.type, layer.output_shape, layer.backward, steepest)
            )
    return found


def _steepest(layer: Layer) -> float | None:
    """The largest |f'| of an activation; None for a layer that is linear, or no activation.

    It must be elementwise: dL/dx of one number depends on dL/dy of that number alone.
    """
    if layer.children or layer.input_shape != layer.output_shape:
        return None
    rows = max(2, -(-_INPUTS.size // prod(layer.input_shape)))
    x = np.resize(_INPUTS, (rows, *layer.input_shape))
    first = np.zeros_like(x)
    first.flat[0] = 1.0
    with np.errstate(all="ignore"):
        layer.forward(x, None)
        if np.count_nonzero(layer.backward(first).flat[1:]):
            return None
        slopes = np.abs(layer.backward(np.ones_like(x)))
        layer.forward(x + _SHIFT, None)
        shifted = np.abs(layer.backward(np.ones_like(x)))
    steepest = float(slopes[np.isfinite(slopes)].max(initial=0.0))
    return None if np.allclose(slopes, shifted, rtol=0, atol=_SAME * steepest) else steepest


def describe(network: Network, sites: Sequence[Site], units: Sequence[Units]) -> dict[str, object]:
    """The columns of the arrays of a record."""
    return {
        "parameters": [
            {"name": name, "size": parameter.size} for name, parameter in network.parameters.items()
        ],
        "layers": [
            {"layer": site.place, "type": site.type, "size": prod(site.last.output_shape)}
            for site in sites
        ],
        "units": [
            {"layer": unit.place, "activation": unit.type, "units": unit.shape[0]} for unit in units
        ],
    }


Look = dict[str, Array]
"""The numbers of one look, by the names of `Watched.arrays`."""
# Squares that are neither too small nor too large to be exact.
_SMALL = 1e-200
# This many numbers of an array are counted, at most.
_MOST_COUNTED = 10_000
# Numbers that differ by less share a bin.
_TINY = 1e-300


class Looker:
    """Looks at a network through a copy in float64, by NumPy, in training mode.

    Dropout's masks are the same at each look; batch normalisation takes the rows as its batch.

    Args:
        network: initialized.
        x: the rows.
        target: their targets, as the loss takes them.
    """

    def __init__(self, network: Network, x: Array, target: Array) -> None:
        self.twin = network.copy(np.float64)
        self.x, self.target = x.astype(np.float64), target.astype(np.float64)
        self.sites, self.units = sites_of(self.twin), units_of(self.twin)
        self.values: dict[str, Any] = {
            "rows": len(x), **describe(self.twin, self.sites, self.units)
        }  # fmt: skip
        self._outputs: dict[int, Array] = {}
        self._gradients: dict[int, Array] = {}
        for site in self.sites:
            self._follow(site)

    def look(self, network: Network) -> Look:
        """The numbers of a network, which is left as it is; those of updates are not known yet."""
        twin = self.twin
        twin.theta[...] = network.theta
        self._outputs.clear()
        self._gradients.clear()
        with np.errstate(all="ignore"):
            loss = twin.loss_and_gradient(self.x, self.target, np.random.default_rng(0))
            outputs = [self._outputs[index] for index in range(len(self.sites))]
            gradients = [self._gradients.get(index) for index in range(len(self.sites))]
            parameters = list(twin.parameters.values())
            found: Look = {
                "losses": np.array(loss),
                **_measured("weights", [parameter.value for parameter in parameters]),
                **_measured("gradients", [parameter.grad for parameter in parameters]),
                **_measured("outputs", outputs),
                "updates.norm": np.full(len(parameters), np.nan),
                "output_gradients.norm": np.array(
                    [np.nan if dy is None else norm(dy) for dy in gradients]
                ),
            }
            shares = np.array([unit.shares(len(self.x)) for unit in self.units])
        dead, saturated = shares.reshape(-1, 2).T
        return {**found, "units.dead": dead, "units.saturated": saturated}

    def _follow(self, site: Site) -> None:
        """Keep what the site's last part returns, and the gradient that reaches it."""
        layer, index = site.last, self.sites.index(site)
        forward, backward = layer.forward, layer.backward

        def keep_output(x: Array, rng: np.random.Generator | None = None) -> Array:
            self._outputs[index] = y = forward(x, rng)
            return y

        def keep_gradient(dy: Array, needs_dx: bool = True) -> Array:
            self._gradients[index] = dy
            return backward(dy, needs_dx)

        vars(layer).update(forward=keep_output, backward=keep_gradient)


def norm(array: Array) -> float:
    """The Euclidean length of all numbers together; infinite or NaN if one of them is."""
    flat = array.ravel()
    with np.errstate(all="ignore"):
        square = float(np.dot(flat, flat))
        if _SMALL < square < 1 / _SMALL or square == 0 == np.count_nonzero(flat):
            return sqrt(square)
        largest = float(np.abs(flat).max())
        if not 0 < largest < np.inf:
            return largest
        scaled = flat / largest
        return sqrt(float(np.dot(scaled, scaled))) * largest


def histogram(array: Array) -> tuple[Array, Array]:
    """The counts in bins of equal width, and the ends of all bins.

    Of finite numbers, and of many, of some that are evenly spread.
    """
    flat = array.ravel()
    flat = flat[:: -(-flat.size // _MOST_COUNTED) or 1]
    low, high = float(flat.min(initial=np.inf)), float(flat.max(initial=-np.inf))
    if not (np.isfinite(low) and np.isfinite(high)):
        flat = flat[np.isfinite(flat)]
        if not flat.size:
            return np.zeros(BINS, np.uint32), np.zeros(2)
        low, high = float(flat.min()), float(flat.max())
    width = high / BINS - low / BINS
    # Halves, as the difference of the largest numbers overflows.
    places = (flat / 2 - low / 2) / (width / 2) if width > _TINY else np.zeros(flat.size)
    counts = np.bincount(np.minimum(places, BINS - 1).astype(np.intp), minlength=BINS)
    return counts.astype(np.uint32), np.array([low, high])


def _measured(name: str, arrays: list[Array]) -> Look:
    found = [histogram(array) for array in arrays]
    counts = np.array([counts for counts, _ in found], np.uint32).reshape(-1, BINS)
    ends = np.array([ends for _, ends in found], np.float64).reshape(-1, 2)
    norms = np.array([norm(array) for array in arrays], np.float64)
    return {f"{name}.norm": norms, f"{name}.histogram": counts, f"{name}.range": ends}


# Watching a network while it trains.

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
MOST_WATCHED_ROWS = 128
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
    most = min(rows, MOST_WATCHED_ROWS, quick, fitting)
    return np.arange(most) * rows // most
