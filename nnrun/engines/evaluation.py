"""The loss over many rows and the outputs for them, through the layers of `nnrun.nn`."""

from __future__ import annotations

import numpy as np

from nnrun.nn.chunks import chunk_rows
from nnrun.nn.network import Network
from nnrun.nn.signature import Array


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
