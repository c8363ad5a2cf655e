"""Gradients by backpropagation compared with numerical gradients.

The numerical derivative along one parameter is the five-point central difference

    D(h) = (L(-2h) - 8 L(-h) + 8 L(h) - L(2h)) / 12h,  with an error of order h⁴,

at the first h of a decreasing sequence for which D(h), D(h/2) and D(h/4) agree. If they agree at
none, the loss has a kink nearby (a ReLU or a maximum that switches); such an entry says nothing
about the gradient and is counted as skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np

from nnrun.nn.network import Network
from nnrun.nn.signature import Array, Rng

TOLERANCE = 1e-7
_STEPS = (1e-3, 1e-4, 1e-5)
_NOISE = 0.05


@dataclass(frozen=True)
class GradientCheck:
    """The comparison for one parameter: its worst entry, and how many entries were compared."""

    name: str
    entries: int
    compared: int
    skipped: int
    error: float
    backpropagated: float
    numerical: float

    @property
    def passed(self) -> bool:
        """Whether at least half of the entries could be compared, and the worst agrees."""
        return self.error <= TOLERANCE and self.skipped <= self.compared


def check_gradients(
    network: Network, x: Array, target: Array, *, rng: Rng, most: int = 500, directions: int = 4
) -> list[GradientCheck]:
    """Compare every parameter's gradient on one batch with a numerical one, in float64.

    A little noise is added to the weights first, since initial biases of zero can put ReLUs right
    on their kink; afterwards they are restored.

    Args:
        network: initialized, of dtype float64.
        x: rows of a small batch.
        target: their targets.
        rng: draws the noise, the entries and the directions.
        most: of larger parameters this many entries are compared, and some random directions, to
            which every entry contributes.
        directions: the number of random directions.
    """
    seed = int(rng.integers(2**32))
    theta = network.theta.copy()
    buffers = {name: array.copy() for name, array in network.buffers.items()}
    network.theta += _NOISE * rng.standard_normal(network.size)

    def loss() -> float:
        return network.training_loss(x, target, np.random.default_rng(seed))

    network.backpropagate(x, target, np.random.default_rng(seed))
    gradient = network.gradient.copy()
    noise_floor = rounding_floor(network, x, loss())
    checks, start = [], 0
    for name, parameter in network.parameters.items():
        part = slice(start, start + parameter.size)
        start += parameter.size
        probe = _Probe(network.theta[part], gradient[part], loss, noise_floor)
        checks.append(probe.run(name, rng, most, directions))
    network.theta[...] = theta
    for name, array in network.buffers.items():
        array[...] = buffers[name]
    return checks


def rounding_floor(network: Network, x: Array, loss: float) -> float:
    """Derivatives below this are not known to all of `TOLERANCE` by differences of this loss.

    These are rounded to about 1e-12 of the loss, or of the outputs that it is computed from.
    """
    outputs = network.forward(x, np.random.default_rng(0))
    return 3e-4 * max(abs(loss), float(np.abs(outputs).max(initial=0.0)))


class _Probe:
    """Compares one parameter's gradient; `theta` is a view that is changed and restored."""

    def __init__(
        self, theta: Array, gradient: Array, loss: Callable[[], float], noise_floor: float
    ) -> None:
        self.theta = theta
        self.gradient = gradient
        self.loss = loss
        # The error of entries far smaller than the largest is relative to this.
        self.floor = max(1e-3 * float(np.abs(gradient).max()), noise_floor, 1e-12)

    def run(self, name: str, rng: Rng, most: int, directions: int) -> GradientCheck:
        size = len(self.theta)
        entries = np.arange(size) if size <= most else rng.choice(size, most, replace=False)
        rays = [(int(entry), 1.0) for entry in entries]
        results = [self._compare(*ray) for ray in rays]
        if size > most:
            for _ in range(directions):
                ray = rng.standard_normal(size)
                results.append(self._compare(slice(None), ray / np.linalg.norm(ray)))
        compared = [result for result in results if result is not None]
        worst = max(compared, default=(0.0, 0.0, 0.0))
        return GradientCheck(name, size, len(compared), len(results) - len(compared), *worst)

    def _compare(self, where: int | slice, ray: float | Array) -> tuple[float, float, float] | None:
        """(relative error, backpropagated, numerical) along a ray, or None at a kink."""
        expected = float(np.sum(self.gradient[where] * ray))
        numerical = derivative(self.theta, where, self.loss, ray=ray, floor=self.floor)
        if numerical is None:
            return None
        error = abs(expected - numerical) / max(abs(numerical), abs(expected), self.floor)
        # `max` over the results would ignore a NaN.
        return (error if isfinite(error) else inf), expected, numerical


def derivative(
    theta: Array,
    where: int | slice,
    loss: Callable[[], float],
    *,
    ray: float | Array = 1.0,
    floor: float = 1e-3,
) -> float | None:
    """The numerical derivative of a loss along a ray in θ; None at a kink.

    Args:
        theta: changed in place, and restored.
        where: the entries that change.
        loss: of the current θ.
        ray: the direction, of the shape of these entries.
        floor: differences agree to `TOLERANCE` / 10 relative to their size or to this.
    """
    for h in _STEPS:
        slopes = [_slope(theta, where, loss, ray, h / part) for part in (1, 2, 4)]
        numerical = slopes[1]
        if max(slopes) - min(slopes) <= TOLERANCE / 10 * max(abs(numerical), floor):
            return numerical
    return None


def _slope(
    theta: Array, where: int | slice, loss: Callable[[], float], ray: float | Array, h: float
) -> float:
    start = np.copy(theta[where])
    total = 0.0
    for steps, weight in ((-2, 1.0), (-1, -8.0), (1, 8.0), (2, -1.0)):
        theta[where] = start + steps * h * ray
        total += weight * loss()
    theta[where] = start
    return total / (12 * h)
