"""The settings of each kind of layer, for rows of any shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from nnrun.nn import (
    ACTIVATIONS,
    AvgPool2d,
    BatchNorm,
    Bias,
    Dropout,
    Flatten,
    Initializer,
    MatMul,
    MaxPool2d,
    activation,
    conv2d,
    dense,
)
from nnrun.nn.layers.windows import output_size, padding_of
from nnrun.nn.signature import Shape, Sides, pair
from tests.architectures.dealing import Deal
from tests.architectures.kinds import form_of
from tests.architectures.plan import Block

POINTWISE = tuple(name for name in ACTIVATIONS if name != "softmax")
KERNELS: tuple[Sides, ...] = (1, 2, 3, 3, 4, 5, (1, 3), (3, 1), (2, 3))
STRIDES: tuple[Sides, ...] = (1, 1, 2, 3, (1, 2), (2, 1))
PADDINGS = ("valid", "same", "same", 0, 1, 2)
BIASES = ("none", "per_channel", "per_position")
POOLS: tuple[Sides, ...] = (1, 2, 3, (1, 2), (2, 1))
POOL_STRIDES = (None, 1, 2, (1, 2), (2, 1))
RATES = (0.0, 0.2, 0.5)
MOMENTA = (0.1, 0.4)
DRAWN = ("glorot_uniform", "glorot_normal", "he_uniform", "lecun_normal")


@dataclass(frozen=True)
class Space:
    """How large networks become.

    Args:
        channels: that a convolution puts out, or images come with.
        units: of dense layers, and features of vectors.
        sides: of the maps that images come with, where they are more than 1.
        largest: side that a convolution puts out.
        operations: that a layer may take for a row.
    """

    channels: Sequence[int] = range(1, 65)
    units: Sequence[int] = range(1, 65)
    sides: Sequence[int] = range(2, 10)
    largest: int = 9
    operations: int = 600_000


@dataclass(frozen=True)
class Place:
    """Where a layer is drawn for.

    Args:
        deal: chooses.
        space: how large networks become.
        shape: of a row that reaches it.
        keeps: whether height and width must stay.
        outputs: channels or units that must come out, if that is fixed.
    """

    deal: Deal
    space: Space
    shape: Shape
    keeps: bool = False
    outputs: int | None = None

    def of(self, name: str, options: Sequence[Any], fits: Callable[[Any], bool] | None = None):
        """A setting; all of them come up on rows of each form."""
        key = (name, form_of(self.shape))
        return self.deal(key, options, *([] if fits is None else [fits]))


def _dense(place: Place) -> Block:
    arguments = {"activation": place.of("dense", tuple(ACTIVATIONS))}
    arguments |= {"bias": place.of("bias", (True, True, False)), **_drawn(place)}
    return dense, {"units": _units(place), **arguments}


def _matmul(place: Place) -> Block:
    return MatMul, {"units": _units(place), **_drawn(place)}


def _units(place: Place) -> int:
    return place.outputs or place.of("units", place.space.units)


def _drawn(place: Place) -> dict[str, Initializer]:
    return {"initializer": Initializer(place.of("drawn", DRAWN))}


def _conv2d(place: Place) -> Block:
    make, arguments = _convolution(place)
    bias = place.of("biases", BIASES)
    return make, arguments | {"bias": bias, "activation": place.of("conv2d", POINTWISE)}


def _convolution(place: Place) -> Block:
    inputs, *sides = place.shape
    channels = place.outputs or place.of("channels", place.space.channels)
    stride = 1 if place.keeps else place.of("stride", STRIDES)

    def fits(kernel: Sides, rule: str | int) -> bool:
        size = _output(sides, kernel, stride, rule)
        if size is None or (place.keeps and list(size) != sides):
            return False
        operations = 2 * inputs * channels * prod(pair(kernel)) * prod(size)
        small = operations <= place.space.operations or kernel == 1
        return small and max(size) <= max(place.space.largest, *sides)

    kernel = place.of("kernel", KERNELS, lambda one: any(fits(one, rule) for rule in PADDINGS))
    padding = place.of("padding", PADDINGS, lambda rule: fits(kernel, rule))
    arguments = {"kernel": kernel, "stride": stride, "padding": padding, "bias": "none"}
    return conv2d, {"channels": channels, **arguments, **_drawn(place)}


def _output(
    sides: Sequence[int], kernel: Sides, stride: Sides, rule: str | int
) -> tuple[int, int] | None:
    """Height and width of what a convolution puts out, or None where it cannot be."""
    size, window, steps = pair(sides), pair(kernel), pair(stride)
    added = padding_of(rule, size, window, steps)
    padded = size[0] + sum(added[0]), size[1] + sum(added[1])
    if window[0] > padded[0] or window[1] > padded[1]:
        return None
    return output_size(padded, window, steps, "kernel")


def _pool(kind: type) -> Callable[[Place], Block]:
    def draw(place: Place) -> Block:
        height, width = place.shape[1:]

        def fits(size: Sides) -> bool:
            return pair(size)[0] <= height and pair(size)[1] <= width

        size = 1 if place.keeps else place.of(kind.type, POOLS, fits)
        stride = 1 if place.keeps else place.of(f"{kind.type} stride", POOL_STRIDES)
        return kind, {"size": size, "stride": stride}

    return draw


def _batch_norm(place: Place) -> Block:
    return BatchNorm, {"momentum": place.of("momentum", MOMENTA)}


def _bias(place: Place) -> Block:
    return Bias, {"per": place.of("per", ("position", "channel"))}


# What draws a layer of each kind; residuals are drawn by `walks.py`.
SETTINGS: dict[str, Callable[[Place], Block]] = {
    "dense": _dense,
    "conv2d": _conv2d,
    "convolution": _convolution,
    "max_pool2d": _pool(MaxPool2d),
    "avg_pool2d": _pool(AvgPool2d),
    "flatten": lambda place: (Flatten, {}),
    "dropout": lambda place: (Dropout, {"rate": place.of("rate", RATES)}),
    "batch_norm": _batch_norm,
    "matmul": _matmul,
    "bias": _bias,
    **{name: lambda place, name=name: (activation, {"name": name}) for name in ACTIVATIONS},  # type: ignore[misc]
}
