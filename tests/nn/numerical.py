"""Derivatives by differences, for tests that look at one function and not at a whole network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.signature import Array


def differences(f: Callable[[], float], x: Array, h: float = 1e-3) -> Array:
    """df/dx by five-point central differences; f reads x, which is moved and put back."""
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        start = x[index]
        for steps, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            x[index] = start + steps * h
            slopes[index] += weight * f() / (12 * h)
        x[index] = start
    return slopes


def spaced(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Numbers in [-2, 2], no two closer than a few h and none at zero: away from every kink."""
    size = int(np.prod(shape))
    values = np.linspace(-2, 2, size + size % 2)[:size]
    return np.random.default_rng(seed).permutation(values).reshape(shape)


def parameters_of(layer: Layer) -> dict[str, Parameter]:
    """The layer's own parameters by name, and those of layers in it by `<index>.<name>`."""
    own = {parameter.name: parameter for parameter in layer.parameters}
    return own | {name: p for inner in layer.children for name, p in inner.parameters.items()}


def worst_errors(layer: Layer, x: Array, *, training: bool = True) -> dict[str, float]:
    """How far backward's dx and parameter gradients are from differences, each on its own scale.

    The loss is a fixed random weighting of the outputs; dropout draws the same mask every time.
    """

    def forward() -> Array:
        return layer.forward(x, np.random.default_rng(1) if training else None)

    weighting = np.random.default_rng(2).standard_normal(forward().shape)

    def loss() -> float:
        return float(np.sum(forward() * weighting))

    forward()
    parameters = parameters_of(layer)
    found = {"dx": layer.backward(weighting).copy()}
    found |= {name: p.grad.copy() for name, p in parameters.items()}
    moved = {"dx": x} | {name: p.value for name, p in parameters.items()}
    errors = {}
    for name, array in moved.items():
        numerical = differences(loss, array)
        errors[name] = np.abs(numerical - found[name]).max() / max(np.abs(numerical).max(), 1e-3)
    return errors
