"""A random network with the way in which it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.engines.base import Batches
from nnrun.nn import LOSSES, SGD, Adam, AdamW, Network, RMSprop
from nnrun.nn.losses.weighted import join_weights
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


EPOCHS = 2
BATCHES = (*range(1, 18), 33, 64)
THREADS = (1, 2, 3)
DTYPES = ("float64", "float32")
CLIPS = (None, None, 0.5, 0.02)
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": SGD,
    "momentum": lambda: SGD(0.9),
    "nesterov": lambda: SGD(0.5, True),
    "decay": lambda: SGD(weight_decay=1e-2),
    "nesterov decay": lambda: SGD(0.8, True, 1e-3),
    "adam": Adam,
    "adam decay": lambda: Adam(0.5, 0.9, 1e-4, 1e-2),
    "adamw": lambda: AdamW(0.5, 0.9, 1e-4, 1e-1),
    "rmsprop": lambda: RMSprop(0.9, 1e-4),
    "rmsprop momentum": lambda: RMSprop(0.8, 1e-4, 0.5, 1e-2),
}
# Adam and others with an epsilon divide a gradient by its own size: one of mere rounding becomes a
# step, which says nothing of an engine. In float32 rounding is beyond the default epsilon.
EPSILON = 1e-3


@dataclass(frozen=True)
class Trial:
    """A network and how it is trained.

    Args:
        suite: the number of its suite.
        index: its number there.
        plan: the network.
        dtype: float64 or float32.
        batch_size: of full batches.
        rest: rows of the last batch of an epoch; 0 if it is full too.
        threads: of the second training; the first has one.
        rule: the optimizer, by its name in OPTIMIZERS.
        clip_norm: as engines take it.
        with_losses: whether the losses of batches are asked for.
        skips: whether zeros are looked for in every product.
        weighted: whether rows have weights, some of them 0.
        seed: of weights, data and dropout.
    """

    suite: int
    index: int
    plan: Architecture
    dtype: str
    batch_size: int
    rest: int
    threads: int
    rule: str
    clip_norm: float | None
    with_losses: bool
    skips: bool
    weighted: bool
    seed: int

    @property
    def name(self) -> str:
        """Its suite and its number in it."""
        return f"suite {self.suite}, network {self.index}"

    @property
    def rows(self) -> int:
        """Of the training split."""
        return 2 * self.batch_size + self.rest

    def network(self) -> Network:
        """The same at every call."""
        return self.plan.build(self.seed, self.dtype, weighted=self.weighted)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """All rows and their targets."""
        x, target = self.plan.rows(self.rows, self.seed + 1, self.dtype)
        if not self.weighted:
            return x, target
        weights = np.random.default_rng(self.seed + 4).integers(0, 4, self.rows)
        return x, join_weights(target, weights / 2)

    def optimizer(self) -> Any:
        """A new one."""
        made = OPTIMIZERS[self.rule]()
        if hasattr(made, "epsilon") and self.dtype == "float32":
            made.epsilon = EPSILON
        return made

    def batches(self) -> Batches:
        """Two epochs of shuffled rows, the last batch of each smaller; a falling learning rate."""
        sizes = [self.batch_size, self.batch_size, self.rest][: 3 if self.rest else 2] * EPOCHS
        rng = np.random.default_rng(self.seed + 2)
        rows = np.concatenate([rng.permutation(self.rows) for _ in range(EPOCHS)])
        rate = 0.01 if self.optimizer().usual_limit is None else 0.002
        return Batches(rows, np.cumsum([0, *sizes]), rate * np.linspace(1, 0.5, len(sizes)))

    def __str__(self) -> str:
        rows = f"batches of {self.batch_size} and {self.rest}, {self.threads} threads"
        rest = f"clip_norm {self.clip_norm}, with_losses {self.with_losses}, skips {self.skips}"
        more = f"{rest}, weighted {self.weighted}"
        return f"{self.name}: {self.dtype}, {rows}, {self.rule}, {more}\n{self.plan}"
