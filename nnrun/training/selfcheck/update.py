"""The numbers of a run's first update, by NumPy and by another engine, for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

from nnrun.engines.base import Batches, Engine
from nnrun.engines.numpy_engine import NumpyEngine, evaluate
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng
from nnrun.training.state import copies, copy_into, live_arrays

Key = tuple[str, str]
"""The kind of numbers and their parameter: ("gradient", "0.weight"), ("loss", "")."""

Numbers = dict[Key, Array]

# The share of the range of exponents by which a step is longer than the weights, so that the
# gradient can be computed from their change.
_LONGER = 1 / 3


@dataclass(frozen=True)
class FirstUpdate:
    """The inputs of a run's first update.

    Args:
        rows: of the batch, in the training split.
        others: rows of another batch, which the engine trains on before, so that its memory is no
            longer fresh.
        x: the batch.
        target: its targets.
        dropout: the state of the stream of dropout masks.
        clip_norm: as for the engines.
        losses: whether the engine was built to return the loss of a batch in training mode.
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
        """A generator for the dropout masks of the update."""
        bits: np.random.BitGenerator = np.random.PCG64()
        bits.state = self.dropout
        return np.random.Generator(bits)

    def by_numpy(
        self, network: Network, optimizer: Optimizer, x: Array, target: Array
    ) -> tuple[Numbers, Array]:
        """The NumPy engine's numbers, and the gradient; the weights do not change.

        Args:
            network: initialized; its buffers change.
            optimizer: its settings are used; its arrays do not change.
            x: the batch, in the network's dtype.
            target: its targets, in the same dtype.
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
        """The numbers of a run's engine, before training begins.

        Args:
            engine: built for the network, the optimizer and the training split.
            network: initialized; restored afterwards.
            optimizer: allocated; restored afterwards.
            dropout: the stream that the engine draws from; restored afterwards.
            gradient: NumPy's; the learning rate is chosen so large that the engine's gradient can
                be computed from the change of the weights.
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
    """The rounding error of a gradient that is computed from the change of weights."""
    size = float(np.abs(theta).max(initial=0))
    return float(np.finfo(theta.dtype).eps) * size / _readable_rate(theta, gradient)


def _readable_rate(theta: Array, gradient: Array) -> float:
    """A learning rate so large that the gradient can be computed from the change of weights.

    It is a power of two, so that products are exact.
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
    """The results of an update: the optimizer's arrays, or the gradient if it has none; buffers."""
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
    """Restore everything that an update changes; yields the weights from before."""
    live, steps, state = (
        live_arrays(network, optimizer),
        optimizer.steps,
        dropout.bit_generator.state,
    )
    saved = copies(live)
    try:
        yield saved["theta"]
    finally:
        copy_into(live, saved)
        optimizer.steps = steps
        dropout.bit_generator.state = state
