"""The reference engine: whole arrays at a time, straight through `nnrun.nn`."""

from __future__ import annotations

import numpy as np

from nnrun.engines.base import Batches, Engine, clip
from nnrun.nn.network import Network, chunk_rows
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng


class NumpyEngine(Engine):
    """Updates by backpropagation through the network's layers.

    Args:
        network: initialized.
        optimizer: allocated for the network's parameters.
        x: rows of the training split, in the network's dtype.
        target: their targets, in the network's dtype.
        rng: the stream of dropout masks.
        clip_norm: gradients longer than this (Euclidean, over all parameters) are scaled down to
            it. Pascanu, Mikolov and Bengio, ICML 2013.
    """

    name = "numpy"

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        x: Array,
        target: Array,
        *,
        rng: Rng,
        clip_norm: float | None = None,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.x = x
        self.target = target
        self.rng = rng
        self.clip_norm = clip_norm
        optimizer.spare(network)

    def run(self, batches: Batches, losses: Array | None = None) -> None:
        bounds, rates = batches.bounds.tolist(), batches.rates.tolist()
        network, optimizer = self.network, self.optimizer
        theta, gradient = network.theta, network.gradient
        # A number that has grown out of range shows in the loss; that is where it is reported.
        with np.errstate(all="ignore"):
            for k, (start, end, rate) in enumerate(
                zip(bounds[:-1], bounds[1:], rates, strict=True)
            ):
                x, target = self._gather(batches.rows, start, end)
                if losses is None:
                    network.backpropagate(x, target, self.rng)
                else:
                    losses[k] = network.loss_and_gradient(x, target, self.rng)
                if self.clip_norm is not None:
                    clip(gradient, self.clip_norm)
                optimizer.step(theta, gradient, rate)
                if optimizer.average is not None:
                    optimizer.average.update(optimizer.steps - 1)

    def train_on(self, x: Array, target: Array) -> None:
        self.x, self.target = x, target

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        return evaluate(self.network, x, target)

    def _gather(self, rows: Array, start: int, end: int) -> tuple[Array, Array]:
        """The rows of one batch: a view where it is a single row, else copied together."""
        batch: slice | Array = rows[start:end]
        if end - start == 1:
            batch = slice(rows[start], rows[start] + 1)
        return self.x[batch], self.target[batch]


def evaluate(network: Network, x: Array, target: Array) -> tuple[float, Array]:
    """What `Engine.evaluate` returns, a chunk of rows at a time."""
    step = chunk_rows(network)
    outputs = np.empty((len(x), *network.output_shape), network.dtype)
    total = 0.0
    with np.errstate(all="ignore"):
        for start in range(0, len(x), step):
            chunk = slice(start, min(start + step, len(x)))
            loss, outputs[chunk] = network.evaluate(x[chunk], target[chunk])
            total += loss * (chunk.stop - chunk.start)
    return total / len(x), outputs
