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
from nnrun.nn.layers.pooling import AvgPool2d, MaxPool2d
from nnrun.nn.layers.residual import Residual
from nnrun.nn.signature import ActivationName, NonNegativeInt, PositiveInt, Sides
from nnrun.tables import Table

__all__ = [
    "LAYERS",
    "AvgPool2d",
    "BatchNorm",
    "Bias",
    "Convolution",
    "Dropout",
    "Flatten",
    "Layer",
    "MatMul",
    "MaxPool2d",
    "Parameter",
    "Residual",
    "activation",
    "conv2d",
    "dense",
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
    padding: Literal["valid", "same"] | NonNegativeInt = "valid",
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
            (`same`), or this many on every side.
        bias: No b (`none`), one number for each channel, or one for each position in each channel.
        activation: The activation function; `linear` is the identity.
        initializer: The initializer of w, and of b if it draws biases; by default the network's.
    """
    layers: list[Layer] = [Convolution(channels, kernel, stride, padding, initializer)]
    if bias != "none":
        layers.append(Bias("channel" if bias == "per_channel" else "position", initializer))
    return [*layers, ACTIVATIONS[activation]()]


LAYERS: Table[Callable[..., Layer | list[Layer]]] = Table(
    "layer",
    {
        "dense": dense,
        "conv2d": conv2d,
        "max_pool2d": MaxPool2d,
        "avg_pool2d": AvgPool2d,
        "flatten": Flatten,
        "dropout": Dropout,
        "batch_norm": BatchNorm,
        "residual": Residual,
        "matmul": MatMul,
        "bias": Bias,
        "activation": activation,
    },
)
