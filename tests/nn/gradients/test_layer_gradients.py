"""dL/dx and parameter gradients of single layers, in the settings that easily go wrong."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.nn import (
    ACTIVATIONS,
    AvgPool2d,
    BatchNorm,
    Bias,
    Convolution,
    Dropout,
    Flatten,
    Initializer,
    MatMul,
    MaxPool2d,
    Residual,
    Sequential,
    activation,
    conv2d,
    dense,
)
from nnrun.nn.layer import Layer
from tests.nn.numerical import parameters_of, spaced, worst_errors

TOLERANCE = 1e-7
NORMAL = Initializer("glorot_normal", scale=2.0)


def errors(layer: Layer, shape: tuple[int, ...], *, rows: int = 2, training: bool = True) -> dict:
    """The layer's errors on rows of this shape, parameters drawn away from zero and one."""
    layer.connect(shape)
    for _, part in Sequential([layer]).named_layers():
        part.initialize(rng=np.random.default_rng(0))
    for parameter in parameters_of(layer).values():
        parameter.value += 0.3 * np.random.default_rng(5).standard_normal(parameter.shape)
    return worst_errors(layer, spaced((rows, *shape)), training=training)


def too_large(found: dict[str, float]) -> dict[str, float]:
    """The errors beyond the tolerance."""
    return {name: error for name, error in found.items() if not error <= TOLERANCE}


@pytest.mark.parametrize("padding", ["valid", "same", 0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3, (1, 2), (3, 1)])
@pytest.mark.parametrize("kernel", [1, 2, 3, (1, 3), (4, 1), (2, 3)])
def test_convolution(kernel: int, stride: int, padding: str | int):
    """dw and dx are exact for odd, even and flat kernels, strides with leftovers, any padding."""
    found = errors(Convolution(2, kernel, stride, padding, NORMAL), (2, 4, 5), rows=1)

    assert {"dx", "weight"} == set(found)
    assert {} == too_large(found)


@pytest.mark.parametrize(("inputs", "channels"), [(1, 1), (1, 3), (3, 1), (3, 2), (2, 2)])
def test_convolution_of_many_channels(inputs: int, channels: int):
    """dw and dx are exact whatever the channels in and out, over several rows."""
    assert {} == too_large(errors(Convolution(channels, 2, 1, 1, NORMAL), (inputs, 3, 2), rows=3))


@pytest.mark.parametrize("pool", [MaxPool2d, AvgPool2d])
@pytest.mark.parametrize("stride", [None, 1, 2, 3, (1, 3)])
@pytest.mark.parametrize("size", [1, 2, 3, (1, 2), (3, 1)])
def test_pooling(pool: type[Layer], size: int, stride: int):
    """dx is exact for windows that overlap, that leave gaps, and that leave pixels over."""
    assert {} == too_large(errors(pool(size, stride), (2, 5, 4)))


@pytest.mark.parametrize("shape", [(4,), (3, 2, 3)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(training: bool, shape: tuple[int, ...]):
    """dx, dγ and dβ are exact in both modes, on vectors and on images."""
    layer = BatchNorm(momentum=0.0)
    found = errors(layer, shape, rows=4, training=training)

    assert {"dx", "weight", "bias"} == set(found)
    assert {} == too_large(found)


@pytest.mark.parametrize("rows", [2, 3, 7])
def test_batch_norm_with_few_rows(rows: int):
    """dx is exact from two rows on, where each row moves the mean a lot."""
    assert {} == too_large(errors(BatchNorm(epsilon=1e-2), (2,), rows=rows))


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(6,), (2, 3, 2)])
def test_dropout(shape: tuple[int, ...], rate: float):
    """dx is exact for the mask that was drawn."""
    assert {} == too_large(errors(Dropout(rate), shape, rows=3))


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)])
@pytest.mark.parametrize("per", ["position", "channel"])
def test_bias(per: str, shape: tuple[int, ...]):
    """db and dx are exact on vectors and images, per position and per channel."""
    found = errors(Bias(per), shape, rows=3)

    assert {"dx", "bias"} == set(found)
    assert {} == too_large(found)


@pytest.mark.parametrize("units", [1, 3, 4])
def test_matmul(units: int):
    """dw and dx are exact, square or not."""
    found = errors(MatMul(units, NORMAL), (3,), rows=4)

    assert {"dx", "weight"} == set(found)
    assert {} == too_large(found)


def test_flatten():
    """dx has every number back at its pixel."""
    assert {} == too_large(errors(Flatten(), (2, 3, 2)))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_residual(depth: int, training: bool):
    """dx and the gradients of the layers inside are exact, however deep residuals stand."""
    layer = Residual([dense(4, "tanh"), BatchNorm(0.0), dense(3, "sigmoid")])
    for _ in range(depth - 1):
        layer = Residual([dense(3, "tanh"), layer, Dropout(0.3)])
    found = errors(layer, (3,), rows=4, training=training)

    inside = "1." * (depth - 1)
    names = {"dx", f"{inside}0.weight", f"{inside}1.bias", f"{inside}2.weight"}
    assert names <= set(found)
    assert 1 + 6 + 2 * (depth - 1) == len(found)
    assert {} == too_large(found)


@pytest.mark.parametrize("layers", ["convolutions", "no parameters", "nothing but a bias"])
def test_residual_on_images(layers: str):
    """dx is exact where layers inside hand dy on as it is, and where none learns."""
    made = {
        "convolutions": [conv2d(3, 3, padding="same", activation="tanh"), conv2d(2, 1)],
        "no parameters": [activation("tanh"), activation("linear")],
        "nothing but a bias": [Bias("channel")],
    }
    assert {} == too_large(errors(Residual(made[layers]), (2, 3, 4)))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@pytest.mark.parametrize("shape", [(5,), (2, 2, 3)])
def test_activations(name: str, shape: tuple[int, ...]):
    """dx is exact, on vectors and on images (softmax: on vectors)."""
    shape = (5,) if name == "softmax" else shape
    assert {} == too_large(errors(ACTIVATIONS[name](), shape, rows=3))


def test_backward_adds_nothing_up_between_calls():
    """Gradients are those of the last batch alone, however often backward has run."""
    layer = Convolution(2, 2)
    layer.connect((1, 3, 3))
    layer.initialize(rng=np.random.default_rng(0))
    x = spaced((2, 1, 3, 3))

    def gradients() -> tuple[list, list]:
        y = layer.forward(x)
        return layer.backward(y).tolist(), layer.parameters[0].grad.tolist()

    assert gradients() == gradients()
