"""The plan of a network, from which it can be built as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.nn import LOSSES, Network, Residual
from nnrun.nn.signature import Array, Shape

Block = tuple[Callable[..., Any], dict[str, Any]]


def residual(blocks: tuple[Block, ...]) -> Residual:
    """A residual of layers of its own."""
    return Residual([make(**arguments) for make, arguments in blocks])


def shape_after(block: Block, shape: Shape) -> Shape:
    """The shape of what a block puts out."""
    make, arguments = block
    made = make(**arguments)
    for layer in made if isinstance(made, list) else [made]:
        shape = layer.connect(shape)
    return shape


@dataclass(frozen=True)
class Architecture:
    """What a network is made of, and the loss that it is trained on."""

    blocks: tuple[Block, ...]
    loss: str
    input_shape: Shape
    outputs: int

    def build(self, seed: int = 0, dtype: Any = np.float64) -> Network:
        """A network of its own, with weights from the seed and biases that are not zero."""
        blocks = [make(**arguments) for make, arguments in self.blocks]
        network = Network(blocks, LOSSES[self.loss](), self.input_shape, dtype)
        rng = np.random.default_rng(seed)
        network.initialize(rng=rng)
        network.theta += (0.1 * rng.standard_normal(network.size)).astype(dtype)
        return network

    def rows(self, count: int, seed: int = 1, dtype: Any = np.float64) -> tuple[Array, Array]:
        """Inputs and targets that suit the loss."""
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((count, *self.input_shape))
        if self.loss == "cross_entropy":
            target = np.eye(self.outputs)[rng.integers(self.outputs, size=count)]
        elif self.loss == "binary_cross_entropy":
            target = rng.integers(2, size=(count, self.outputs)).astype(float)
        else:
            target = rng.normal(0, 2, (count, self.outputs))
        return x.astype(dtype), target.astype(dtype)

    def __str__(self) -> str:
        layers = "\n".join(f"  {line}" for line in _lines(self.blocks))
        return f"{self.input_shape}, {self.loss}:\n{layers}"


def _lines(blocks: tuple[Block, ...]) -> Iterator[str]:
    for make, arguments in blocks:
        given = {name: value for name, value in arguments.items() if name != "blocks"}
        yield f"{make.__name__} {given}"
        for line in _lines(arguments.get("blocks", ())):
            yield f"  {line}"
