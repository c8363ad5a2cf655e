"""Stochastic gradient descent."""

from __future__ import annotations

import numpy as np

from nnrun.nn.optimizers.base import Optimizer
from nnrun.nn.signature import Array, Fraction, NonNegativeFloat


class SGD(Optimizer):
    """θ ← θ - η g, with momentum μ: v ← μ v + g, θ ← θ - η v.

    Nesterov's variant steps by g + μ v. Weight decay λ adds λ θ to g.
    As in PyTorch, the learning rate stays outside the velocity, so that changing it acts at once
    (Sutskever et al., ICML 2013, have it inside); the first velocity is the first gradient.

    Args:
        momentum: μ, the decay of the velocity.
        nesterov: Whether to use Nesterov's variant.
        weight_decay: λ, the decay of weights: matrices of dense layers, kernels of convolutions.
        decay_all: Whether biases, embeddings, scales and shifts decay, too.
    """

    type = "sgd"
    usual_limit = None

    def __init__(
        self,
        momentum: Fraction = 0.0,
        nesterov: bool = False,
        weight_decay: NonNegativeFloat = 0.0,
        decay_all: bool = False,
    ) -> None:
        super().__init__()
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.decay_all = decay_all

    def allocate(self, theta: Array) -> None:
        self.state = {"velocity": np.zeros_like(theta)} if self.momentum else {}

    def step(self, theta: Array, g: Array, learning_rate: float) -> None:
        self.steps += 1
        if self.weight_decay:
            np.add(g, self.weight_decay * theta, out=g, where=self.decaying)
        if self.momentum:
            velocity = self.state["velocity"]
            velocity *= self.momentum
            velocity += g
            if self.nesterov:
                g += self.momentum * velocity
            else:
                g = velocity
        theta -= learning_rate * g
