"""What networks have in them, counted for the table of what they must have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nnrun.nn import LAYERS, Sequential
from nnrun.nn.layers.convolution import Convolution
from nnrun.nn.signature import Shape
from tests.architectures.kinds import END, START, form_of
from tests.architectures.plan import Architecture, Block, residual, shape_after

Pair = tuple[str, str, str]


def kind_of(block: Block) -> str:
    """The kind that a block is of."""
    make, arguments = block
    if make is residual:
        return "residual"
    if make is LAYERS["activation"]:
        return str(arguments["name"])
    if make is LAYERS["conv2d"] and "activation" not in arguments:
        return "convolution"
    return next(name for name, entry in LAYERS.items() if entry is make)


def pairs(plan: Architecture) -> Iterator[Pair]:
    """(first, form of the rows between, second) of all neighbours, residuals included."""
    yield from _pairs(plan.blocks, plan.input_shape, inside=False)


def _pairs(blocks: Iterable[Block], shape: Shape, *, inside: bool) -> Iterator[Pair]:
    before = START
    for block in blocks:
        kind = kind_of(block)
        yield before, form_of(shape), kind
        if kind == "residual":
            yield from _pairs(block[1]["blocks"], shape, inside=True)
        shape, before = shape_after(block, shape), kind
    if inside:
        yield before, form_of(shape), END


def depth(blocks: Iterable[Block]) -> int:
    """How many residuals are within each other, at most."""
    inner = [depth(arguments["blocks"]) + 1 for make, arguments in blocks if make is residual]
    return max(inner, default=0)


def convolutions(plan: Architecture) -> Iterator[Convolution]:
    """Its convolutions, connected."""
    made: list[Any] = [make(**arguments) for make, arguments in plan.blocks]
    network = Sequential(made)
    network.connect(plan.input_shape)
    yield from (layer for _, layer in network.walk() if isinstance(layer, Convolution))

