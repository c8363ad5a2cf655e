"""Initial values of parameters.

Every function draws an array of `shape`. `fans = (fan_in, fan_out)` are the numbers of inputs and
outputs that a unit is connected to. A bias counts as a layer from one constant input to its units,
so its fans are (1, units).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np

from nnrun.nn.signature import Array, Rng, Shape
from nnrun.nn.special import normal_cdf, normal_quantile
from nnrun.tables import Table

Fans = tuple[int, int]


def glorot_uniform(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """U(-a, a) with a = sqrt(6 / (fan_in + fan_out)). Glorot and Bengio, AISTATS 2010."""
    limit = sqrt(6 / sum(fans))
    return rng.uniform(-limit, limit, shape)


def glorot_normal(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """N(0, 2 / (fan_in + fan_out)). Glorot and Bengio, AISTATS 2010."""
    return rng.normal(0.0, sqrt(2 / sum(fans)), shape)


def he_uniform(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """U(-a, a) with a = sqrt(6 / fan_in). He et al., ICCV 2015."""
    limit = sqrt(6 / fans[0])
    return rng.uniform(-limit, limit, shape)


def he_normal(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """N(0, 2 / fan_in). He et al., ICCV 2015."""
    return rng.normal(0.0, sqrt(2 / fans[0]), shape)


def lecun_normal(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """N(0, 1 / fan_in). LeCun et al., Efficient BackProp, 1998."""
    return rng.normal(0.0, sqrt(1 / fans[0]), shape)


def uniform(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """U[0, 1), regardless of the fans; all weights start positive."""
    return rng.random(shape)


def scaled_uniform(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """U[0, 1) · sqrt(2 / (fan_in + fan_out)), as in the course notebook; all positive too."""
    return rng.random(shape) * sqrt(2 / sum(fans))


def normal(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """N(0, 1), regardless of the fans; `scale` is the standard deviation."""
    return rng.standard_normal(shape)


def truncated_normal(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """N(0, 1) without what is beyond ±2, regardless of the fans, as `trunc_normal_` of PyTorch."""
    low, high = normal_cdf(np.array([-2.0, 2.0]))
    return normal_quantile(rng.uniform(low, high, shape))


def orthogonal(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """A random matrix whose rows or columns, whichever are fewer, are orthonormal.

    A kernel is flattened to (channels out, the rest). Saxe, McClelland and Ganguli, ICLR 2014.
    """
    rows, columns = shape[0], prod(shape[1:])
    drawn = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # uniform over all such matrices
    return (q if rows >= columns else q.T).reshape(shape)


def zeros(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """All zero. Hidden units that start equal stay equal, so this suits single layers only."""
    return np.zeros(shape)


def identity(shape: Shape, fans: Fans, *, rng: Rng) -> Array:
    """The identity matrix on the last two axes: for worked examples."""
    return np.broadcast_to(np.eye(shape[-2], shape[-1]), shape).copy()


INITIALIZERS: Table[Callable[..., Array]] = Table(
    "initializer",
    {
        "glorot_uniform": glorot_uniform,
        "glorot_normal": glorot_normal,
        "he_uniform": he_uniform,
        "he_normal": he_normal,
        "lecun_normal": lecun_normal,
        "orthogonal": orthogonal,
        "normal": normal,
        "truncated_normal": truncated_normal,
        "uniform": uniform,
        "scaled_uniform": scaled_uniform,
        "zeros": zeros,
        "identity": identity,
    },
)

# The others draw weights around zero and set biases to zero.
DRAWS_BIASES = {"uniform", "scaled_uniform"}


@dataclass(frozen=True)
class Initializer:
    """An initializer by name; its values are multiplied by `scale`."""

    type: str = "glorot_uniform"
    scale: float = 1.0

    def weights(self, shape: Shape, fans: Fans, *, rng: Rng) -> Array:
        """Initial weights of this shape."""
        return INITIALIZERS[self.type](shape, fans, rng=rng) * self.scale

    def biases(self, shape: Shape, *, rng: Rng) -> Array:
        """Initial biases: zero unless the initializer draws biases."""
        if self.type not in DRAWS_BIASES:
            return np.zeros(shape)
        return self.weights(shape, (1, prod(shape)), rng=rng)
