"""The first update of a run, as numbers that can be compared: by NumPy, and by another engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

from nnrun.engines.base import Batches, Engine
from nnrun.engines.evaluation import evaluate
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng

Key = tuple[str, str]
"""What numbers are, and of which parameter: ("gradient", "0.weight"), ("loss", "")."""

Numbers = dict[Key, Array]

# The part of the range of exponents by which a step is longer than the weights, so that their
# change tells the gradient.
_LONGER = 1 / 3


@dataclass(frozen=True)
class FirstUpdate:
    """What the first update of a run is made from.

    Args:
        rows: of the batch, in the training split.
        others: rows of another batch, which an engine updates with before, so that its memory is
            not as it was made.
        x: the batch.
        target: its targets.
        dropout: the state of the stream of dropout masks.
        clip_norm: as for the engines.
        losses: whether the engine can be asked for the loss of the batch in training mode.
    """

    rows: Array
    others: Array
    x: Array
    target: Array
    dropout: Mapping[str, Any]
    clip_norm: float | None
    losses: bool

    @property
    def stream(self) -> Rng:
        """The dropout masks of the update."""
        bits: np.random.BitGenerator = np.random.PCG64()
        bits.state = self.dropout
        return np.random.Generator(bits)

    def by_numpy(
        self, network: Network, optimizer: Optimizer, x: Array, target: Array
    ) -> tuple[Numbers, Array]:
        """What the NumPy engine finds, and the gradient; the weights stay as they are.

        Args:
            network: initialized; its buffers change.
            optimizer: gives the settings, and keeps its arrays.
            x: the batch, in the network's precision.
            target: its targets, likewise.
        """
        own, batch_loss = copy(optimizer), np.empty(1)
        own.allocate(network.theta)
        loss, outputs = evaluate(network, x, target)
        engine = NumpyEngine(network, own, x, target, rng=self.stream, clip_norm=self.clip_norm)
        engine.run(_batch(np.arange(len(x)), 0.0), batch_loss)
        found = _evaluated(loss, outputs, batch_loss if self.losses else None)
        return found | _trained(network, own, network.gradient), network.gradient

    def by_engine(
        self, engine: Engine, network: Network, optimizer: Optimizer, dropout: Rng, gradient: Array
    ) -> Numbers:
        """What the engine of a run finds that has not begun.

        Args:
            engine: made for the network and the optimizer, and the training split.
            network: as it was initialized, and so it is afterwards.
            optimizer: as it was allocated; likewise.
            dropout: the stream that the engine draws from; likewise.
            gradient: by NumPy: a step along it is made so long that it can be read back.
        """
        batch_loss = np.empty(1) if self.losses else None
        loss, outputs = engine.evaluate(self.x, self.target)
        rate = 0.0 if optimizer.state else _readable_rate(network.theta, gradient)
        with _put_back(network, optimizer, dropout):
            engine.run(_batch(self.others, rate), batch_loss)
        with _put_back(network, optimizer, dropout) as theta:
            engine.run(_batch(self.rows, rate), batch_loss)
            found = _evaluated(loss, outputs, batch_loss)
            change = (
                theta if optimizer.state else (theta - network.theta) / network.dtype.type(rate)
            )
            return found | _trained(network, optimizer, change)


def _batch(rows: Array, rate: float) -> Batches:
    return Batches(rows, np.array([0, len(rows)]), np.array([rate]))


def lost(theta: Array, gradient: Array) -> float:
    """What is lost of a gradient that is read from the change of weights."""
    size = float(np.abs(theta).max(initial=0))
    return float(np.finfo(theta.dtype).eps) * size / _readable_rate(theta, gradient)


def _readable_rate(theta: Array, gradient: Array) -> float:
    """A learning rate by which weights change so much that the gradient can be read from it.

    It is a power of two, so no digit of a product changes.
    """
    size, largest = (float(np.abs(array).max(initial=0)) for array in (theta, gradient))
    if not largest:
        return 1.0
    most = np.finfo(theta.dtype).maxexp
    exponent = round(log2(size or 1.0) - log2(largest) + most * _LONGER)
    return 2.0 ** min(max(exponent, -most // 2), most // 2)


def _evaluated(loss: float, outputs: Array, batch_loss: Array | None) -> Numbers:
    found = {("loss", ""): np.array([loss]), ("outputs", ""): outputs}
    return found if batch_loss is None else {**found, ("training loss", ""): batch_loss}


def _trained(network: Network, optimizer: Optimizer, gradient: Array) -> Numbers:
    """What an update has made: the gradient, as the optimizer keeps it or if not itself."""
    vectors = optimizer.state or {"gradient": gradient}
    found: Numbers = {}
    for kind, vector in vectors.items():
        start = 0
        for name, parameter in network.parameters.items():
            found[kind, name] = vector[start : start + parameter.size].copy()
            start += parameter.size
    for name, array in network.buffers.items():
        found[name, ""] = array.copy()
    return found


@contextmanager
def _put_back(network: Network, optimizer: Optimizer, dropout: Rng) -> Iterator[Array]:
    """Have everything that an update changes as it was; gives the weights of before."""
    theta, state = network.theta.copy(), dropout.bit_generator.state
    buffers = {name: array.copy() for name, array in network.buffers.items()}
    try:
        yield theta
    finally:
        network.theta[...] = theta
        for name, array in network.buffers.items():
            array[...] = buffers[name]
        for array in optimizer.state.values():
            array.fill(0)
        optimizer.steps = 0
        dropout.bit_generator.state = state
