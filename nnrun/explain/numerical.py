"""Gradients by differences, entry by entry."""

from __future__ import annotations

import numpy as np

from nnrun.nn.gradient_check import derivative, rounding_floor
from nnrun.nn.network import Network
from nnrun.nn.signature import Array, Shape

# Of parameters with more entries, those that a shortened matrix shows are compared.
_MOST = 500
# A shortened matrix shows this many rows, columns and so on from each end.
EDGE = 4


def numerical_gradient(
    network: Network, x: Array, target: Array, gradient: Array, *, seed: int
) -> Array:
    """dL/dθ of a batch by central differences; NaN where it is not computed, and at kinks.

    The weights of the network, which is in float64, are changed and restored. The `gradient` by
    backpropagation says how large entries are; the seed is that of dropout masks.
    """
    theta, found = network.theta, np.full(network.size, np.nan)

    def loss() -> float:
        return network.training_loss(x, target, np.random.default_rng(seed))

    noise, start = rounding_floor(network, x, loss()), 0
    for parameter in network.parameters.values():
        part = gradient[start : start + parameter.size]
        floor = max(1e-3 * float(np.abs(part).max(initial=0)), noise, 1e-12)
        for entry in compared(parameter.shape):
            slope = derivative(theta, start + int(entry), loss, floor=floor)
            found[start + int(entry)] = np.nan if slope is None else slope
        start += parameter.size
    return found


def compared(shape: Shape) -> Array:
    """The entries of a parameter that are compared: all, or those at the edges of every axis."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    if numbers.size <= _MOST:
        return numbers.ravel()
    return numbers[np.ix_(*(shown(size) for size in shape))].ravel()


def shown(size: int) -> list[int]:
    """The places of an axis that a shortened matrix shows."""
    if size <= 2 * EDGE:
        return list(range(size))
    return [*range(EDGE), *range(size - EDGE, size)]
