"""The layers by the names that configs use.

A new layer is a file in this folder and a line in `LAYERS`: its signature becomes its form in the
config, and tests over the table check its gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.initializers import Initializer
from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.layers.batch_norm import BatchNorm
from nnrun.nn.layers.bias import Bias
from nnrun.nn.layers.convolution import Convolution
from nnrun.nn.layers.dropout import Dropout
from nnrun.nn.layers.flatten import Flatten
from nnrun.nn.layers.matmul import MatMul
from nnrun.nn.layers.pooling import AvgPool2d, GlobalAvgPool, MaxPool2d
from nnrun.nn.layers.residual import Residual
from nnrun.nn.signature import ActivationName, NonNegativeInt, PositiveInt, Sides, Zeros
from nnrun.tables import Table

__all__ = [
    "LAYERS",
    "AvgPool2d",
    "BatchNorm",
    "Bias",
    "Convolution",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "Layer",
    "MatMul",
    "MaxPool2d",
    "Parameter",
    "Residual",
    "activation",
    "conv1d",
    "conv2d",
    "dense",
    "max_pool1d",
]


def activation(name: ActivationName) -> Layer:
    """An activation function as a layer of its own.

    Args:
        name: Which function.
    """
    return ACTIVATIONS[name]()


def dense(
    units: PositiveInt,
    activation: ActivationName = "linear",
    bias: bool = True,
    initializer: Initializer | None = None,
) -> list[Layer]:
    """activation(x w + b): a matrix product, a bias and an activation.

    The weight w is (inputs, units), as in scikit-learn's `coefs_`; PyTorch's is its transpose. The
    bias b is (units,).

    Args:
        units: The number of outputs.
        activation: The activation function; `linear` is the identity.
        bias: Whether to add b.
        initializer: The initializer of w, and of b if it draws biases; by default the network's.
    """
    layers: list[Layer] = [MatMul(units, initializer)]
    if bias:
        layers.append(Bias("position", initializer))
    return [*layers, ACTIVATIONS[activation]()]


def conv2d(
    channels: PositiveInt,
    kernel: Sides = 3,
    stride: Sides = 1,
    padding: Literal["valid", "same"] | Zeros = "valid",
    bias: Literal["none", "per_channel", "per_position"] = "per_channel",
    activation: ActivationName = "linear",
    initializer: Initializer | None = None,
) -> list[Layer]:
    """activation(w * x + b): a convolution, a bias and an activation.

    The weight w is (channels, input channels, kernel height, kernel width) and is not flipped, as
    in PyTorch; the bias b is (channels,), or (channels, height, width) with `per_position`.

    Args:
        channels: The number of output channels: one for each kernel.
        kernel: Height and width of the kernels, or one number for both.
        stride: The step of the kernel down and to the right, or one number for both.
        padding: Zeros around the image: none (`valid`), enough to keep its size at stride 1
            (`same`), this many on every side, or these many above and below, left and right.
        bias: No b (`none`), one number for each channel, or one for each position in each channel.
        activation: The activation function; `linear` is the identity.
        initializer: The initializer of w, and of b if it draws biases; by default the network's.
    """
    layers: list[Layer] = [Convolution(channels, kernel, stride, padding, initializer)]
    if bias != "none":
        layers.append(Bias("channel" if bias == "per_channel" else "position", initializer))
    return [*layers, ACTIVATIONS[activation]()]


def conv1d(
    channels: PositiveInt,
    kernel: PositiveInt = 3,
    stride: PositiveInt = 1,
    padding: Literal["valid", "same"] | NonNegativeInt = "valid",
    bias: Literal["none", "per_channel", "per_position"] = "per_channel",
    activation: ActivationName = "linear",
    initializer: Initializer | None = None,
) -> list[Layer]:
    """activation(w * x + b) of series: `conv2d` on images of height 1.

    The weight w is (channels, input channels, 1, kernel). Rows are (channels, 1, length).

    Args:
        channels: The number of output channels: one for each kernel.
        kernel: The length of the kernels.
        stride: The step of the kernel.
        padding: Zeros around the series: none (`valid`), enough to keep its length at stride 1
            (`same`), or this many at both ends.
        bias: No b (`none`), one number for each channel, or one for each position in each channel.
        activation: The activation function; `linear` is the identity.
        initializer: The initializer of w, and of b if it draws biases; by default the network's.
    """
    zeros = padding if isinstance(padding, str) else (0, padding)
    layers = conv2d(channels, (1, kernel), (1, stride), zeros, bias, activation, initializer)
    layers[0].is_series = True
    return layers


def max_pool1d(size: PositiveInt = 2, stride: PositiveInt | None = None) -> Layer:
    """y = the largest number of each window of a series: `max_pool2d` on images of height 1.

    Args:
        size: The length of the windows.
        stride: The step between windows; by default they do not overlap.
    """
    layer = MaxPool2d((1, size), (1, stride or size))
    layer.is_series = True
    return layer


LAYERS: Table[Callable[..., Layer | list[Layer]]] = Table(
    "layer",
    {
        "dense": dense,
        "conv2d": conv2d,
        "conv1d": conv1d,
        "max_pool2d": MaxPool2d,
        "max_pool1d": max_pool1d,
        "avg_pool2d": AvgPool2d,
        "global_avg_pool": GlobalAvgPool,
        "flatten": Flatten,
        "dropout": Dropout,
        "batch_norm": BatchNorm,
        "residual": Residual,
        "matmul": MatMul,
        "bias": Bias,
        "activation": activation,
    },
)
