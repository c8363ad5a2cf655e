"""Adam, and AdamW, whose weight decay is apart from the gradient."""

from __future__ import annotations

from math import sqrt

import numpy as np

from nnrun.nn.optimizers.base import Optimizer
from nnrun.nn.signature import Array, Fraction, NonNegativeFloat, PositiveFloat


class Adam(Optimizer):
    """m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,  θ ← θ - η m̂ / (sqrt(v̂) + ε)

    with m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) at step t. Kingma and Ba, ICLR 2015; ε is added
    outside the root, after the correction. Weight decay λ adds λ θ to g; `adamw` has it apart.

    Args:
        beta1: β₁, the decay of the mean of the gradients.
        beta2: β₂, the decay of the mean of their squares.
        epsilon: ε, which keeps steps finite if gradients are tiny.
        weight_decay: λ, the decay of weights: matrices of dense layers, kernels of convolutions.
        decay_all: Whether biases, embeddings, scales and shifts decay, too.
    """

    type = "adam"
    usual_limit = 0.01

    def __init__(
        self,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.999,
        epsilon: PositiveFloat = 1e-8,
        weight_decay: NonNegativeFloat = 0.0,
        decay_all: bool = False,
    ) -> None:
        super().__init__()
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.decay_all = decay_all

    def allocate(self, theta: Array) -> None:
        self.state = {"mean": np.zeros_like(theta), "square": np.zeros_like(theta)}

    def step(self, theta: Array, g: Array, learning_rate: float) -> None:
        self.steps += 1
        if self.decoupled:
            kept = 1 - learning_rate * self.weight_decay
            np.multiply(theta, kept, out=theta, where=self.decaying)
        elif self.weight_decay:
            np.add(g, self.weight_decay * theta, out=g, where=self.decaying)
        mean, square = self.state["mean"], self.state["square"]
        mean *= self.beta1
        mean += (1 - self.beta1) * g
        square *= self.beta2
        square += (1 - self.beta2) * (g * g)
        root = np.sqrt(square) / sqrt(1 - self.beta2**self.steps) + self.epsilon
        theta -= mean / root * (learning_rate / (1 - self.beta1**self.steps))


class AdamW(Adam):
    """θ ← (1 - η λ) θ, then Adam's step by gradients without decay.

    All weights decay alike, whatever the size of their gradients, by which Adam divides a decay
    that is added to g. Loshchilov and Hutter, ICLR 2019; η scales λ, as in PyTorch.

    Args:
        beta1: β₁, the decay of the mean of the gradients.
        beta2: β₂, the decay of the mean of their squares.
        epsilon: ε, which keeps steps finite if gradients are tiny.
        weight_decay: λ, the decay of weights: matrices of dense layers, kernels of convolutions.
        decay_all: Whether biases, embeddings, scales and shifts decay, too.
    """

    type = "adamw"
    usual_limit = 0.01
    decoupled = True

    def __init__(
        self,
        beta1: Fraction = 0.9,
        beta2: Fraction = 0.999,
        epsilon: PositiveFloat = 1e-8,
        weight_decay: NonNegativeFloat = 0.01,
        decay_all: bool = False,
    ) -> None:
        super().__init__(beta1, beta2, epsilon, weight_decay, decay_all)
