"""How far rounding may change the numbers of an update, estimated with random rounding errors.

Two correct engines differ by rounding: in the order of their sums, and in the last digits of their
functions. In a sum of n terms each term is off by a factor 1 + δ with |δ| ≤ λ √n ε, except with a
probability below 2 n exp(-λ²/2), for independent errors: Higham and Mary, SIAM J. Sci. Comput. 41
(2019). With λ = 16 the exception never happens in practice. So the update is repeated in float64,
where float32's roundings are exact, and every output of a layer, forward and backward, is
multiplied by such a random factor. The spread of the results shows how far rounding can move them,
whatever the network does to errors: saturation, cancellation, depth. This is Monte Carlo
arithmetic: Parker, UCLA CSD-970002 (1997).

Kinks need no special treatment. A ReLU whose input is zero up to rounding, or two equal numbers in
a max-pooling window, fall to either side at random, and so does everything computed from them.
"""

from __future__ import annotations

from collections.abc import Iterator
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
# Roundings of random size are at least this power of two times the full size; only these shares of
# the numbers are rounded at all.
_SMALLEST = -12
_SHARES = {"many": 1 / 2, "few": 1 / 8}


def roundings(network: Network, rows: int) -> tuple[float, float]:
    """λ √n ε for the longest sums of a batch with this many rows, forward and backward."""
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
    """An update in float64, exact or with random roundings.

    Args:
        update: the update.
        network: initialized; it is copied.
        optimizer: its settings are used.
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
        self.largest = 0.0  # of all outputs of layers
        for _, layer in self._network.named_layers():
            self._watch(layer)
        plain = self._network.loss.gradient

        def gradient(y: Array, target: Array) -> Array:
            dy: Array = plain(y, target)
            if self._rounding != "none":
                self._blur(dy, self._backward)
            return dy

        vars(self._network.loss)["gradient"] = gradient

    def exact(self) -> Numbers:
        """The numbers of the update."""
        return self._numbers("none")

    def samples(self) -> Iterator[Numbers]:
        """The numbers of the update with random roundings, without end.

        In two of three samples the roundings have random sizes, and many or most are zero: a large
        one may hide the effect of another, as when a variance is pure rounding and divides.
        """
        kinds: tuple[Rounding, ...] = ("full", "many", "few")
        for rounding in cycle(kinds):
            yield self._numbers(rounding)

    def _numbers(self, rounding: Rounding) -> Numbers:
        """The numbers of an update, with roundings of this kind."""
        self._rounding = rounding
        network = self._network
        network.theta[...] = self._theta
        for name, array in network.buffers.items():
            array[...] = self._buffers[name]
        x, target = (np.array(a, np.float64) for a in (self._update.x, self._update.target))
        if rounding != "none":
            self._blur(x, self._forward)
            self._blur(target, self._forward)
            for parameter in network.parameters.values():
                # Kernels that transform weights mix those of one array.
                size = np.abs(parameter.value).max(initial=0)
                parameter.value += self._forward * size * self._noise(parameter.shape)
        return self._update.by_numpy(network, self._optimizer, x, target)[0]

    def _watch(self, layer: Layer) -> None:
        """Round the layer's outputs, in place: the layer may keep them for its backward pass."""
        plain_forward, plain_backward = layer.forward, layer.backward

        def forward(x: Array, rng: Rng | None = None) -> Array:
            y = plain_forward(x, rng)
            if self._rounding == "none":
                self._track_largest(y)
                return y
            if isinstance(layer, BatchNorm):
                # Subtracting the mean loses digits first.
                self._blur(layer.x_hat, self._forward, layer.inverse * _largest(layer, x))
            self._blur(y, self._forward, _before_centring(layer, x))
            return y

        def backward(dy: Array, needs_dx: bool = True) -> Array:
            if self._rounding == "none":
                self._track_largest(dy)
                return plain_backward(dy, needs_dx)
            # A small derivative may be 1 - y with y near 1, so its error is relative to 1.
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
        """Add random errors to a batch: for each number, for each row, and for each feature.

        The error of a pixel is relative to the image's largest, since kernels mix neighbours;
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
        """Random numbers between -1 and 1."""
        noise = self._rng.uniform(-1, 1, shape)
        if self._rounding != "full":
            share = _SHARES[self._rounding]
            noise *= 2.0 ** self._rng.integers(_SMALLEST, 1) * (self._rng.random() < share)
        return noise


def _before_centring(layer: Layer, y: Array) -> Array | None:
    """The size of the numbers from which batch normalisation subtracts the mean; None elsewhere."""
    if not isinstance(layer, BatchNorm):
        return None
    scale = np.abs(layer.inverse * layer.gamma.value.reshape(layer.view))
    return np.asarray(scale * _largest(layer, y))


def _largest(layer: BatchNorm, y: Array) -> Array:
    """The largest absolute value of each feature or channel, shaped to broadcast over a batch."""
    return np.asarray(np.abs(y).max(axis=layer.axes).reshape(layer.view))
