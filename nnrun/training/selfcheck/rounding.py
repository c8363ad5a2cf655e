"""How far rounding may change the numbers of an update, found by rounding at random.

Two right engines differ where they round: in the order of their sums, and in the last digits of
their functions. In one sum of n terms each term is off by a factor 1 + δ with |δ| ≤ λ √n ε, but
with a probability below 2 n exp(-λ²/2): Higham and Mary, SIAM J. Sci. Comput. 41 (2019), for
errors that are independent. With λ = 16 no run will see it happen. So the update is made again in
float64, in which what float32 rounds is exact, with every number that a layer puts out, forward
and backward, off by such a factor at random; how far the results go apart is how far rounding can
move them, whatever the network does to errors: saturation, cancellation, depth. This is Monte
Carlo arithmetic: Parker, UCLA CSD-970002 (1997).

Kinks need nothing of their own. A rectifier whose input is zero but for rounding, or two equal
numbers before a max-pooling, fall to either side at random, and so does what follows from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from math import prod
from typing import Literal

import numpy as np

from nnrun.nn.activations import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.layers import BatchNorm
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng
from nnrun.training.selfcheck.update import FirstUpdate, Numbers

Rounding = Literal["none", "full", "many", "few"]

_LAMBDA = 16
# Of roundings that have sizes of their own, the smallest is this power of two of the full one, and
# others than these shares are none.
_SMALLEST = -12
_SHARES = {"many": 1 / 2, "few": 1 / 8}


def roundings(network: Network, rows: int) -> tuple[float, float]:
    """λ √n ε for the longest sums of a batch of so many rows, forward and backward."""
    forward = backward = 1.0
    for layer in network.steps:
        pixels = max(prod(layer.input_shape[1:]), prod(layer.output_shape[1:]))
        forward = max(forward, layer.flops / (2 * prod(layer.output_shape)))
        backward = max(backward, layer.flops / (2 * prod(layer.input_shape)), rows * pixels)
        if layer.batch_dependent:
            forward = max(forward, rows * pixels)
    unit = _LAMBDA * float(np.finfo(network.dtype).eps)
    return unit * forward**0.5, unit * backward**0.5


class Rounded:
    """An update in float64, exact or with roundings at random.

    Args:
        update: the update.
        network: as it was initialized; it is copied.
        optimizer: gives the settings.
    """

    def __init__(self, update: FirstUpdate, network: Network, optimizer: Optimizer) -> None:
        self._update = update
        self._optimizer = optimizer
        self._network = network.copy(np.float64)
        self._theta = self._network.theta.copy()
        self._buffers = {name: a.copy() for name, a in self._network.buffers.items()}
        self._forward, self._backward = roundings(network, len(update.x))
        self._rng = np.random.default_rng(0)
        self._rounding: Rounding = "none"
        self._factor = 1.0  # of the gradient
        self.largest = 0.0  # of all numbers that layers have put out
        for _, layer in self._network.named_layers():
            self._watch(layer)
        plain = self._network.loss.gradient

        def gradient(y: Array, target: Array) -> Array:
            dy: Array = self._factor * plain(y, target)
            if self._rounding != "none":
                self._blur(dy, self._backward)
            return dy

        vars(self._network.loss)["gradient"] = gradient

    def exact(self) -> Numbers:
        """The numbers of the update."""
        return self._numbers(self._update, "none")

    def samples(self) -> Iterator[Numbers]:
        """The numbers of the update with roundings at random, again and again.

        In two of three each rounding has a size of its own, or none, as many or most of them: a
        large one may hide what another does, as where a variance is nothing but rounding, and
        divided by. And where the gradient is clipped, a single huge number, however uncertain,
        makes all others small: so it is clipped by turns, and brought down by what the exact one
        is.
        """
        unclipped, factor = replace(self._update, clip_norm=None), self._clipped()
        sizes: tuple[Rounding, ...] = ("full", "many", "few")
        for rounding in cycle(sizes):
            yield self._numbers(self._update, rounding)
            if factor != 1:
                self._factor = factor
                yield self._numbers(unclipped, rounding)
                self._factor = 1.0

    def _clipped(self) -> float:
        """What clipping multiplies the exact gradient by."""
        limit = self._update.clip_norm
        if limit is None:
            return 1.0
        self._numbers(replace(self._update, clip_norm=None), "none")
        norm = float(np.linalg.norm(self._network.gradient))
        return limit / norm if norm > limit else 1.0

    def _numbers(self, update: FirstUpdate, rounding: Rounding) -> Numbers:
        """The numbers, with roundings of these sizes."""
        self._rounding = rounding
        network = self._network
        network.theta[...] = self._theta
        for name, array in network.buffers.items():
            array[...] = self._buffers[name]
        x, target = (np.array(a, np.float64) for a in (update.x, update.target))
        if rounding != "none":
            self._blur(x, self._forward)
            self._blur(target, self._forward)
            for parameter in network.parameters.values():
                # Kernels that transform weights mix those of one array.
                size = np.abs(parameter.value).max(initial=0)
                parameter.value += self._forward * size * self._noise(parameter.shape)
        return update.by_numpy(network, self._optimizer, x, target)[0]

    def _watch(self, layer: Layer) -> None:
        """Have what the layer puts out rounded, in place: it may keep it for the way back."""
        plain_forward, plain_backward = layer.forward, layer.backward

        def forward(x: Array, rng: Rng | None = None) -> Array:
            y = plain_forward(x, rng)
            if self._rounding == "none":
                self._track_largest(y)
                return y
            if isinstance(layer, BatchNorm):
                # Digits are lost where the mean is taken off, before all else.
                self._blur(layer.x_hat, self._forward, layer.inverse * _largest(layer, x))
            self._blur(y, self._forward, _before_centring(layer, x))
            return y

        def backward(dy: Array, needs_dx: bool = True) -> Array:
            if self._rounding == "none":
                self._track_largest(dy)
                return plain_backward(dy, needs_dx)
            # A derivative is near one, however small it is: so is what its digits are lost to.
            beside = np.abs(dy) if isinstance(layer, Activation) and needs_dx else None
            beside = _before_centring(layer, dy) if beside is None else beside
            dx = plain_backward(dy, needs_dx)
            if needs_dx:
                self._blur(dx, self._backward, beside)
            return dx

        vars(layer).update(forward=forward, backward=backward)

    def _track_largest(self, y: Array) -> None:
        self.largest = max(self.largest, float(np.abs(y).max(initial=0)))

    def _blur(self, y: Array, rounding: float, beside: Array | None = None) -> None:
        """Round numbers of a batch at random: each, those of a row, and those of a feature alike.

        Pixels of an image lose what is lost beside its largest one, since kernels mix neighbours;
        zeros stay zeros.
        """
        size = np.abs(y)
        if y.ndim == 4:
            size = np.where(size > 0, size.max(axis=(1, 2, 3), keepdims=True), 0)
        if beside is not None:
            size += beside
        some = [1] * (y.ndim - 2)
        noise = self._noise(y.shape)
        noise += self._noise((len(y), 1, *some))
        noise += self._noise((1, y.shape[1], *some))
        y += rounding * size * noise

    def _noise(self, shape: tuple[int, ...]) -> Array:
        """Of size one at most."""
        noise = self._rng.uniform(-1, 1, shape)
        if self._rounding != "full":
            share = _SHARES[self._rounding]
            noise *= 2.0 ** self._rng.integers(_SMALLEST, 1) * (self._rng.random() < share)
        return noise


def _before_centring(layer: Layer, y: Array) -> Array | None:
    """What the digits are lost to of numbers from which batch normalisation takes the mean."""
    if not isinstance(layer, BatchNorm):
        return None
    scale = np.abs(layer.inverse * layer.gamma.value.reshape(layer.view))
    return np.asarray(scale * _largest(layer, y))


def _largest(layer: BatchNorm, y: Array) -> Array:
    """Of each feature or channel, in the form that scales them."""
    return np.asarray(np.abs(y).max(axis=layer.axes).reshape(layer.view))
