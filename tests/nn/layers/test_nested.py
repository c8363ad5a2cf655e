"""Layers that hold layers: names, initial values, buffers, modes, errors and costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.nn import (
    BatchNorm,
    CrossEntropy,
    Dropout,
    Flatten,
    LayerError,
    MaxPool2d,
    MeanSquared,
    Network,
    Residual,
    Sequential,
    activation,
    conv2d,
    dense,
)
from nnrun.nn.layer import Layer
from nnrun.nn.signature import Array, Rng, Shape

X = np.random.default_rng(0).standard_normal((5, 3))


class Branches(Layer):
    """The sum of two sequences: a layer that holds more than one."""

    type = "branches"

    def __init__(self, left: list[Any], right: list[Any]) -> None:
        super().__init__()
        self.children = [Sequential(left, ("left",)), Sequential(right, ("right",))]

    def _connect(self, input_shape: Shape) -> Shape:
        left, right = (inner.connect(input_shape) for inner in self.children)
        assert left == right
        return left

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        left, right = (inner.forward(x, rng) for inner in self.children)
        return left + right

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        left, right = (inner.backward(dy, needs_dx) for inner in self.children)
        return left + right if needs_dx else dy


def ready(blocks: list[Any], loss: Any = None, shape: Shape = (3,), **more: Any) -> Network:
    """An initialized network."""
    network = Network(blocks, loss or MeanSquared(), shape, **more)
    network.initialize(rng=np.random.default_rng(1))
    return network


def nested() -> list[Any]:
    """A residual within a residual, with all that has a state of its own."""
    inner = Residual([dense(2, "relu"), Dropout(0.5), dense(4)])
    return [
        dense(4, "tanh"),
        Residual([dense(4, "tanh"), BatchNorm(), inner, activation("linear")]),
        dense(2, "softmax"),
    ]


def test_parameters_have_dotted_names_and_lie_in_order_in_one_vector():
    """`1.2.0.weight` is in layer 0 of layer 2 of layer 1; flat names are as they always were."""
    network = ready(nested(), CrossEntropy())

    assert [
        "0.weight",
        "0.bias",
        "1.0.weight",
        "1.0.bias",
        "1.1.weight",
        "1.1.bias",
        "1.2.0.weight",
        "1.2.0.bias",
        "1.2.2.weight",
        "1.2.2.bias",
        "2.weight",
        "2.bias",
    ] == list(network.parameters)
    assert ["1.1.running_mean", "1.1.running_variance"] == list(network.buffers)
    network.theta[...] = network.gradient[...] = np.arange(network.size)
    for kind in ("value", "grad"):
        parts = [getattr(p, kind).ravel() for p in network.parameters.values()]
        np.testing.assert_array_equal(np.arange(network.size), np.concatenate(parts))


def test_names_tell_the_arguments_of_a_layer_apart():
    """Where a layer holds several sequences, names of parameters and errors say which."""
    network = ready([Branches([dense(2)], [dense(4, "tanh"), dense(2, bias=False)])])

    names = ["0.left.0.weight", "0.left.0.bias", "0.right.0.weight", "0.right.0.bias"]
    assert [*names, "0.right.1.weight"] == list(network.parameters)
    with pytest.raises(LayerError) as caught:
        Network([Branches([dense(2)], [dense(2), conv2d(1)])], MeanSquared(), (3,))
    assert ("layers", 0, "right", 1) == caught.value.place


def test_weights_inside_are_drawn_as_if_they_stood_in_the_network():
    """The stream of initial weights goes through the layers in the order they are written."""
    layers = [dense(4, "tanh"), dense(4, "tanh"), BatchNorm(), dense(2, "relu"), dense(4), dense(2)]
    flat, deep = ready(layers), ready(nested())

    np.testing.assert_array_equal(flat.theta, deep.theta)


def test_dropout_inside_draws_from_the_stream_in_order():
    """Masks come one after the other from one stream, outermost layers and inner ones alike."""
    layers = [Dropout(0.5), Residual([Dropout(0.5), Residual([Dropout(0.5)])]), Dropout(0.5)]
    network = ready([*layers, dense(2)])
    rng = np.random.default_rng(4)
    keep = [np.where(rng.random(X.shape) >= 0.5, 2.0, 0.0) for _ in range(4)]

    y, stream = X, np.random.default_rng(4)
    for layer in network.active_layers[:3]:
        y = layer.forward(y, stream)

    x = X * keep[0]
    z = x * keep[1]
    np.testing.assert_array_equal((x + (z + z * keep[2])) * keep[3], y)


def test_prediction_by_hand():
    """x + relu(x w + b), worked out; evaluation and training see the same."""
    network = ready([Residual([dense(2, "relu")])], shape=(2,))
    network.theta[...] = [1, -1, 2, 1, 0.5, -0.5]

    # (3, 1): hidden (3 + 2 + 0.5, -3 + 1 - 0.5) = (5.5, -2.5)
    assert [[3 + 5.5, 1 + 0]] == network.predict(np.array([[3.0, 1.0]])).tolist()


def test_the_last_softmax_is_fused_with_the_loss_behind_a_residual():
    """Logits of any size come out of a residual, and the loss stays finite."""
    network = ready(nested(), CrossEntropy())
    network.theta *= 1e6

    assert "softmax_cross_entropy" == network.loss.type
    assert np.isfinite(network.evaluate(X, np.eye(2)[[0, 1, 1, 0, 1]])[0])


def test_single_precision_goes_all_the_way():
    """A float32 network has float32 parameters, gradients, buffers and outputs inside too."""
    network = ready(nested(), CrossEntropy(), dtype=np.float32)
    x = X.astype(np.float32)

    network.backpropagate(x, np.zeros((5, 2), np.float32), np.random.default_rng(0))

    inside = [p.grad for p in network.parameters.values()]
    arrays = [network.theta, network.predict(x), *network.buffers.values(), *inside]
    assert {np.dtype(np.float32)} == {array.dtype for array in arrays}
    assert np.any(network.parameters["1.2.0.weight"].grad)


def test_initializing_again_starts_from_the_beginning():
    """A second `initialize` gives the weights and buffers of the first, inside layers too."""
    network = ready(nested(), CrossEntropy())
    start = network.theta.copy()
    network.training_loss(X, np.eye(2)[[0, 1, 1, 0, 1]], np.random.default_rng(0))
    assert np.any(network.buffers["1.1.running_mean"])

    network.initialize(rng=np.random.default_rng(1))

    np.testing.assert_array_equal(start, network.theta)
    assert [[0] * 4, [1] * 4] == [array.tolist() for array in network.buffers.values()]


@pytest.mark.parametrize(
    ("inner", "shape", "place", "message"),
    [
        ([dense(2)], (3,), (), "put out 2 numbers, .* of 3 numbers; let the last .* 3 units"),
        ([dense(1)], (3,), (), "put out 1 number, "),
        (
            [conv2d(2, padding="same")],
            (3, 5, 5),
            (),
            "images of 2×5×5, .* of images of 3×5×5; let the last .* 3 channels",
        ),
        ([conv2d(3)], (3, 5, 5), (), "use stride 1 and padding same"),
        ([MaxPool2d()], (3, 4, 4), (), "use stride 1 and padding same"),
        ([conv2d(3), Flatten()], (3, 5, 5), (), "put out 27 numbers, .*; leave the flatten out"),
        ([dense(3), conv2d(3)], (3,), ("layers", 1), "takes images"),
        ([Residual([dense(3), dense(4)])], (3,), ("layers", 0), "let the last .* 3 units"),
        ([dense(3), Residual([conv2d(1)])], (3,), ("layers", 1, "layers", 0), "takes images"),
    ],
)
def test_a_layer_inside_that_does_not_fit_is_named(
    inner: list[Any], shape: Shape, place: tuple[Any, ...], message: str
):
    """The error has the place of the innermost layer that is to blame, and what to do."""
    with pytest.raises(LayerError, match=message) as caught:
        Network([activation("tanh"), Residual(inner)], MeanSquared(), shape)

    assert ("layers", 1, *place) == caught.value.place


def test_what_a_network_takes_is_said_by_the_first_layer_that_minds():
    """An activation takes anything; a convolution inside a residual wants images."""
    assert Sequential([activation("tanh"), Residual([Dropout(), conv2d(2)])]).input_kind == "images"
    assert Sequential([Flatten(), Residual([dense(2)]), conv2d(2)]).input_kind == "vectors"
    assert Sequential([activation("tanh"), Residual([Dropout()])]).input_kind is None


def test_layers_say_what_they_cost():
    """Operations are those of the products by hand; numbers are inputs, outputs and patches."""
    network = Network(
        [Residual([conv2d(2, 3, padding=1)]), Flatten(), dense(5, "tanh")], MeanSquared(), (2, 4, 6)
    )
    costs = {
        layer.type: (layer.flops, layer.activation_count) for _, layer in network.named_layers()
    }

    image, patches = 2 * 4 * 6, 2 * 9 * (4 * 6 + 6 * 8)
    assert (2 * 9 * 2 * image, 2 * image + patches) == costs["convolution"]
    assert (2 * image * 5, image + 5) == costs["matmul"]
    assert (0, 2 * image) == costs["residual"]
    assert (0, 10) == costs["tanh"]


def test_all_shapes_are_known_by_place():
    """Blocks of the network and of the layers in it, with what they put out."""
    network = Network(nested(), CrossEntropy(), (3,))

    assert {
        ("layers", 0): (4,),
        ("layers", 1): (4,),
        ("layers", 1, "layers", 0): (4,),
        ("layers", 1, "layers", 1): (4,),
        ("layers", 1, "layers", 2): (4,),
        ("layers", 1, "layers", 2, "layers", 0): (2,),
        ("layers", 1, "layers", 2, "layers", 1): (2,),
        ("layers", 1, "layers", 2, "layers", 2): (4,),
        ("layers", 1, "layers", 3): (4,),
        ("layers", 2): (2,),
    } == network.shapes
    assert [(4,), (4,), (2,)] == network.block_shapes
