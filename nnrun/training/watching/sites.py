"""What is looked at in a network: the outputs of its layers, and activations with their slopes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network
from nnrun.nn.sequential import dotted
from nnrun.nn.signature import Array

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
    count: int
    slope: Callable[[Array], Array]
    steepest: float

    def shares(self, like: Array) -> tuple[float, float]:
        """The shares of dead and of saturated units, for outputs of this shape.

        A unit of an image is a channel.
        """
        slope = np.abs(self.slope(np.ones_like(like)))
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
                Units(dotted(place), layer.type, layer.output_shape[0], layer.backward, steepest)
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
            {"layer": unit.place, "activation": unit.type, "units": unit.count} for unit in units
        ],
    }
