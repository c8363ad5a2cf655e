"""The base class of optimizers."""

from __future__ import annotations

import numpy as np

from nnrun.nn.average import Average
from nnrun.nn.network import Network
from nnrun.nn.signature import Array


class Optimizer:
    """A rule that turns gradients into steps.

    All parameters of a network are in one vector θ and all gradients in one vector g, so each rule
    is written once, for vectors. Its own arrays (velocities, moments) are in `state`. The network's
    `average`, if there is one, is of the weights after each step.
    """

    type = ""
    # The learning rate that it usually bears; None for steps in proportion to the gradient, whose
    # largest stable rate depends on the loss and the rows.
    usual_limit: float | None = None
    # Whether `weight_decay` shrinks θ beside the step, instead of being added to the gradient.
    decoupled = False
    decay_all = False
    # The places in θ that decay: all of them, or where the array is true.
    decaying: Array | bool = True
    average: Average | None = None

    def __init__(self) -> None:
        self.state: dict[str, Array] = {}
        self.steps = 0

    @property
    def vectors(self) -> dict[str, Array]:
        """The arrays as long as θ: `state`, and the average of θ."""
        more = {} if self.average is None else {"average": self.average.arrays["theta"]}
        return {**self.state, **more}

    def spare(self, network: Network) -> None:
        """Let only what `decays` names decay: the embedding of a rare category would go to 0, and
        a bias holds what all rows have in common.
        """
        spared = self.spared(network)
        if spared:
            parts = [
                np.full(each.size, id(each) not in spared) for each in network.parameters.values()
            ]
            self.decaying = np.concatenate(parts)

    def spared(self, network: Network) -> set[int]:
        """The ids of the parameters of a network that do not decay."""
        if self.decay_all or not getattr(self, "weight_decay", 0):
            return set()
        return {id(each) for each in network.parameters.values()} - {*map(id, network.weights)}

    def allocate(self, theta: Array) -> None:
        """Allocate the arrays of `state` for these parameters."""

    def step(self, theta: Array, g: Array, learning_rate: float) -> None:
        """Change θ in place; g may be overwritten."""
        raise NotImplementedError
