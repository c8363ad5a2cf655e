"""What large weights cost besides the loss."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nnrun.nn.layer import Parameter


class L2Penalty:
    """P = α / 2 · Σ w² / rows over all weights, dP/dw = α w / rows, for a batch of so many rows.

    Weights are those of dense layers and convolutions; biases and batch_norm's scales cost nothing.
    It is `alpha` of scikit-learn's networks: its share of the loss shrinks as batches grow. The
    optimizers' `weight_decay` λ is another thing: λ θ for every parameter, whatever the batch.

    Args:
        alpha: α, at least 0.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def value(self, weights: Iterable[Parameter], rows: int) -> float:
        """P for a batch of so many rows."""
        squares = sum(float(np.vdot(weight.value, weight.value)) for weight in weights)
        return self.alpha / 2 * squares / rows

    def add_gradient(self, weights: Iterable[Parameter], rows: int) -> None:
        """Add dP/dw to the gradient of each."""
        for weight in weights:
            weight.grad += (self.alpha / rows) * weight.value
