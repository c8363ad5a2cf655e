"""The average of a network's weights over its updates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnrun.nn.signature import Array


class Average:
    """a ← d a + (1 - d) θ after each update, with d = min(ema, (1 + t) / (10 + t)) at t = 0, 1, …

    a begins as the initial weights, which the small d of the first updates soon forget: it is that
    of TensorFlow's `tf.train.ExponentialMovingAverage` with `num_updates`. Polyak and Juditsky,
    SIAM J. Control Optim. 30 (1992).

    Running means and variances of batch normalisation are averaged in the same way. Those of θ are
    of other activations than the average has; PyTorch's `AveragedModel` advises this
    (`use_buffers=True`) or another pass over the rows, which each evaluation would repeat.

    Args:
        ema: the largest d, above 0 and below 1; a is a mean over about 1 / (1 - ema) updates.
    """

    def __init__(self, ema: float) -> None:
        self.ema = ema
        self.arrays: dict[str, Array] = {}
        self.sources: Mapping[str, Array] = {}

    def begin(self, sources: Mapping[str, Array]) -> None:
        """Start from these arrays, by name, which updates will change; `theta` is one of them."""
        self.sources = sources
        self.arrays = {name: array.copy() for name, array in sources.items()}

    def of(self, source: Array) -> Array:
        """The average of one of the arrays."""
        return next(self.arrays[name] for name, array in self.sources.items() if array is source)

    def shares(self, first: int, updates: int) -> Array:
        """1 - d of these updates, counted from 0: float64, (updates,)."""
        steps = np.arange(first, first + updates)
        return np.maximum(1 - self.ema, 9 / (10.0 + steps))

    def update(self, step: int) -> None:
        """Follow the arrays after this update, counted from 0."""
        share = max(1 - self.ema, 9 / (10.0 + step))
        for name, source in self.sources.items():
            self.arrays[name] += (source - self.arrays[name]) * share
