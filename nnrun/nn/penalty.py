"""The L2 penalty on weights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nnrun.nn.layer import Parameter


class L2Penalty:
    """P = α / 2 · Σ w² / rows over all weights w, dP/dw = α w / rows, for a batch of `rows` rows.

    Weights are those of dense layers and convolutions; biases and batch_norm's scales have no
    penalty. This is `alpha` of scikit-learn's networks: it counts less in larger batches. The
    optimizers' `weight_decay` λ differs: it adds λ θ, regardless of the batch.

    Args:
        alpha: α, at least 0.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def value(self, weights: Iterable[Parameter], rows: int) -> float:
        """P for a batch with this many rows."""
        squares = sum(float(np.vdot(weight.value, weight.value)) for weight in weights)
        return self.alpha / 2 * squares / rows

    def add_gradient(self, weights: Iterable[Parameter], rows: int) -> None:
        """Add dP/dw to the gradient of each weight."""
        for weight in weights:
            weight.grad += (self.alpha / rows) * weight.value
