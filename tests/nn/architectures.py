"""Random networks that fit together, for tests that compare two ways to the same result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.nn import (
    ACTIVATIONS,
    LAYERS,
    LOSSES,
    BatchNorm,
    Dropout,
    Flatten,
    Initializer,
    Network,
    Residual,
    conv2d,
    dense,
)
from nnrun.nn.layer import Layer
from nnrun.nn.signature import Array, Shape

Choose = Callable[[Sequence[Any]], Any]
Block = tuple[Callable[..., Any], dict[str, Any]]
HIDDEN = tuple(name for name in ACTIVATIONS if name != "softmax")
OUTPUT = ("linear", "sigmoid", "tanh", "leaky_relu", "gelu", "softmax")  # none that can be dead
LAST = {name: loss.needs for name, loss in LOSSES.items() if loss.needs}


def chooser(seed: int) -> Choose:
    """Choices from a seeded stream."""
    rng = np.random.default_rng(seed)
    return lambda options: options[rng.integers(len(options))]


@dataclass(frozen=True)
class Architecture:
    """The plan of a network: what to build it from, as often as needed."""

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


def draw(
    choose: Choose, *, images: bool, batch_norm: bool = False, dropout: bool = False
) -> Architecture:
    """One to three hidden blocks and an output, each setting from `choose`."""
    shape: Shape = (choose((1, 2, 3)), choose((5, 6, 7)), choose((5, 6, 8))) if images else (4,)
    input_shape, blocks = shape, []
    for _ in range(choose((1, 2, 3))):
        more = {"batch_norm": batch_norm, "dropout": dropout}
        if choose((False, False, True)):
            found: list[Block] = [_residual(choose, shape, more)]
        else:
            found = _with(choose, (_image if len(shape) == 3 else _vector)(choose, shape), **more)
        for make, given in found:
            shape = _shape_after(make(**given), shape)
        blocks += found
    loss = choose(sorted(LOSSES))
    outputs = choose((2, 3))
    last = LAST.get(loss) or choose(OUTPUT)
    if len(shape) == 3:
        blocks.append((Flatten, {}))
    blocks.append((dense, {"units": outputs, "activation": last}))
    return Architecture(tuple(blocks), loss, input_shape, outputs)


def _with(choose: Choose, block: Block, *, batch_norm: bool, dropout: bool) -> list[Block]:
    """The block, perhaps with batch normalisation and dropout after it."""
    normed = batch_norm and choose((True, False))
    if normed and block[1].get("activation") == "linear":
        # A mean that is taken off makes a bias before it pointless, its gradient mere rounding.
        block[1]["activation"] = "tanh"
    norms: list[Block] = [(BatchNorm, {"momentum": choose((0.1, 0.4))})] * normed
    drops: list[Block] = [(Dropout, {"rate": choose((0.2, 0.5))})] * (
        dropout and choose((True, False))
    )
    return [block, *norms, *drops]


def _residual(choose: Choose, shape: Shape, more: dict[str, bool], depth: int = 1) -> Block:
    """Layers that end in the shape they begin with, at times a residual of its own among them."""
    same = {"stride": 1, "padding": "same"} if len(shape) == 3 else {}
    make, arguments = (_convolution if same else _vector)(choose, shape)
    blocks = _with(choose, (make, arguments | same), **more)
    last: dict[str, Any] = {"initializer": _drawn(choose), **same}
    last |= {"channels" if same else "units": shape[0]}
    blocks.append((make, last))
    if depth < 2 and choose((False, True)):
        blocks.append(_residual(choose, shape, more, depth + 1))
    return residual, {"blocks": tuple(blocks)}


def residual(blocks: tuple[Block, ...]) -> Residual:
    """A residual of layers of its own."""
    return Residual([make(**arguments) for make, arguments in blocks])


def _vector(choose: Choose, shape: Shape) -> Block:
    arguments = {"units": choose((2, 3, 5)), "activation": choose(HIDDEN)}
    return dense, arguments | {"bias": choose((True, True, False)), "initializer": _drawn(choose)}


def _image(choose: Choose, shape: Shape) -> Block:
    if min(shape[1:]) >= 2 and choose((True, False, False)):
        kind = choose(("max_pool2d", "avg_pool2d"))
        return LAYERS[kind], {"size": choose((2, (1, 2), (2, 1))), "stride": choose((None, 1, 2))}
    return _convolution(choose, shape)


def _convolution(choose: Choose, shape: Shape) -> Block:
    height, width = (min(side, 3) for side in shape[1:])
    return conv2d, {
        "channels": choose((1, 2, 3)),
        "kernel": (choose(range(1, height + 1)), choose(range(1, width + 1))),
        "stride": choose((1, 1, 2, (1, 2), 3)),
        "padding": choose(("valid", "same", 0, 1, 2)),
        "bias": choose(("none", "per_channel", "per_position")),
        "activation": choose(HIDDEN),
        "initializer": _drawn(choose),
    }


def _drawn(choose: Choose) -> Initializer:
    return Initializer(choose(("glorot_uniform", "glorot_normal", "he_uniform", "lecun_normal")))


def _shape_after(layers: Layer | list[Layer], shape: Shape) -> Shape:
    for layer in layers if isinstance(layers, list) else [layers]:
        shape = layer.connect(shape)
    return shape
