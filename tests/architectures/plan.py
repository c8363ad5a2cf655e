"""The plan of a network, from which it can be built as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.nn import LOSSES, Network
from nnrun.nn.signature import Array, Shape

Block = tuple[Callable[..., Any], dict[str, Any]]
"""An entry of `nnrun.nn.LAYERS` and its arguments; a tuple of blocks stands for layers."""


def built(block: Block) -> Any:
    """The layer, or layers, of a block; each call makes new ones."""
    make, arguments = block
    within = {name: [built(one) for one in blocks] for name, blocks in stacks(block).items()}
    return make(**{**arguments, **within})


def stacks(block: Block) -> dict[str, tuple[Block, ...]]:
    """The arguments of a block that are layers."""
    return {
        name: value
        for name, value in block[1].items()
        if isinstance(value, tuple) and isinstance(value[0], tuple)
    }


def shape_after(block: Block, shape: Shape) -> Shape:
    """The shape of what a block puts out."""
    made = built(block)
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

    def build(self, seed: int = 0, dtype: Any = np.float64, *, weighted: bool = False) -> Network:
        """A network of its own, with weights from the seed and biases that are not zero."""
        blocks = [built(block) for block in self.blocks]
        loss = LOSSES[self.loss]()
        network = Network(blocks, loss, self.input_shape, dtype, weighted=weighted)
        rng = np.random.default_rng(seed)
        network.initialize(rng=rng)
        network.theta += (0.1 * rng.standard_normal(network.size)).astype(dtype)
        return network

    def rows(self, count: int, seed: int = 1, dtype: Any = np.float64) -> tuple[Array, Array]:
        """Inputs and targets that suit the loss."""
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((count, *self.input_shape))
        last = LOSSES[self.loss].needs
        if last == "softmax":
            target = np.eye(self.outputs)[rng.integers(self.outputs, size=count)]
        elif last == "sigmoid":
            target = rng.integers(2, size=(count, self.outputs)).astype(float)
        elif last == "softplus":
            target = rng.poisson(1, (count, self.outputs)).astype(float)
        else:
            target = rng.normal(0, 2, (count, self.outputs))
        return x.astype(dtype), target.astype(dtype)

    def __str__(self) -> str:
        layers = "\n".join(f"  {line}" for line in _lines(self.blocks))
        return f"{self.input_shape}, {self.loss}:\n{layers}"


def _lines(blocks: tuple[Block, ...]) -> Iterator[str]:
    for block in blocks:
        make, arguments = block
        inner = stacks(block)
        given = {name: value for name, value in arguments.items() if name not in inner}
        yield f"{make.__name__} {given}"
        for within in inner.values():
            yield from (f"  {line}" for line in _lines(within))
