"""One look at a network: a forward and a backward pass over the same rows each time.

What is looked at are the outputs of its layers, and its activations with their slopes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network
from nnrun.nn.sequential import dotted
from nnrun.nn.signature import Array, Shape
from nnrun.training.watching.watched import BINS

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
