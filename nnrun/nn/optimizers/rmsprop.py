"""RMSprop."""

from __future__ import annotations

import numpy as np

from nnrun.nn.optimizers.base import Optimizer
from nnrun.nn.signature import Array, Fraction, NonNegativeFloat, PositiveFloat


class RMSprop(Optimizer):
    """s ← β s + (1 - β) g²,  θ ← θ - η g / (sqrt(s) + ε)

    With momentum μ: v ← μ v + g / (sqrt(s) + ε), θ ← θ - η v. Weight decay λ adds λ θ to g.
    Tieleman and Hinton, 2012; ε is outside the root, as in PyTorch. s begins at 0 and is not
    corrected, so the first step is η / sqrt(1 - β), ten times η by default.

    Args:
        beta: β, the decay of the mean of the squares of the gradients; PyTorch's alpha.
        epsilon: ε, which keeps steps finite if gradients are tiny.
        momentum: μ, the decay of the velocity.
        weight_decay: λ, the decay of weights: matrices of dense layers, kernels of convolutions.
        decay_all: Whether biases, embeddings, scales and shifts decay, too.
    """

    type = "rmsprop"
    usual_limit = 0.01

    def __init__(
        self,
        beta: Fraction = 0.99,
        epsilon: PositiveFloat = 1e-8,
        momentum: Fraction = 0.0,
        weight_decay: NonNegativeFloat = 0.0,
        decay_all: bool = False,
    ) -> None:
        super().__init__()
        self.beta = beta
        self.epsilon = epsilon
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.decay_all = decay_all

    def allocate(self, theta: Array) -> None:
        names = ("square", "velocity") if self.momentum else ("square",)
        self.state = {name: np.zeros_like(theta) for name in names}

    def step(self, theta: Array, g: Array, learning_rate: float) -> None:
        self.steps += 1
        if self.weight_decay:
            np.add(g, self.weight_decay * theta, out=g, where=self.decaying)
        square = self.state["square"]
        square *= self.beta
        square += (1 - self.beta) * (g * g)
        move = g / (np.sqrt(square) + self.epsilon)
        if self.momentum:
            velocity = self.state["velocity"]
            velocity *= self.momentum
            velocity += move
            move = velocity
        theta -= learning_rate * move
