"""Short trainings of a network by one engine or another, from given data."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.base import Batches
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.nn import Network


def trained(
    kind: Any, network: Network, optimizer: Any, data: Any, batches: Batches
) -> tuple[float, np.ndarray]:
    """The loss over all rows in the end, and the parameters."""
    network.initialize(rng=np.random.default_rng(1))
    optimizer.allocate(network.theta)
    size = int(np.diff(batches.bounds).max())
    more = {} if kind is NumpyEngine else {"batch_size": size}
    engine = kind(network, optimizer, *data, rng=np.random.default_rng(4), **more)
    engine.run(batches)
    return engine.evaluate(*data)[0], network.theta.copy()


def shuffled(rows: int, batch_size: int, iterations: int, rate: float = 0.01) -> Batches:
    """Batches of rows that are drawn anew each time."""
    bounds = np.arange(iterations + 1) * batch_size
    order = np.random.default_rng(3).integers(rows, size=bounds[-1])
    return Batches(order, bounds, np.full(iterations, rate))
