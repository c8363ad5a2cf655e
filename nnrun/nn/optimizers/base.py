"""The base class of optimizers."""

from __future__ import annotations

from nnrun.nn.average import Average
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
    average: Average | None = None

    def __init__(self) -> None:
        self.state: dict[str, Array] = {}
        self.steps = 0

    @property
    def vectors(self) -> dict[str, Array]:
        """The arrays as long as θ: `state`, and the average of θ."""
        more = {} if self.average is None else {"average": self.average.arrays["theta"]}
        return {**self.state, **more}

    def allocate(self, theta: Array) -> None:
        """Allocate the arrays of `state` for these parameters."""

    def step(self, theta: Array, g: Array, learning_rate: float) -> None:
        """Change θ in place; g may be overwritten."""
        raise NotImplementedError
