"""Networks: where parameters live, what is fused, layers that hold layers, rows of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.nn import (
    BatchNorm,
    BinaryCrossEntropy,
    CrossEntropy,
    Dropout,
    Flatten,
    LayerError,
    MatMul,
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
from tests.architectures.trial import Architecture
from tests.architectures.walks import choosing, draw

X = np.random.default_rng(0).standard_normal((5, 3))


def ready(blocks: list[Any], loss: Any = None, shape: Shape = (3,), **more: Any) -> Network:
    """An initialized network."""
    network = Network(blocks, loss or MeanSquared(), shape, **more)
    network.initialize(rng=np.random.default_rng(1))
    return network


def test_a_convolution_has_the_bias_it_was_given():
    """None at all, one for each channel, or one for each position of its output."""
    kinds = ("none", "per_channel", "per_position")
    network = ready([conv2d(2, 2, bias=kind) for kind in kinds], shape=(1, 5, 6))
    biases = {name: p.shape for name, p in network.parameters.items() if name.endswith("bias")}
    assert {"1.bias": (2,), "2.bias": (2, 2, 3)} == biases


def test_shapes_of_the_blocks_are_known_before_memory_is_taken():
    """Output shapes by block, with stride and padding, before anything is initialized."""
    blocks = [conv2d(4, 3, stride=2, padding="same"), MaxPool2d(2), Flatten(), dense(3)]
    network = Network(blocks, MeanSquared(), (2, 7, 10))
    assert [(4, 4, 5), (4, 2, 2), (16,), (3,)] == network.block_shapes
    assert ((3,), 0) == (network.output_shape, network.theta.size)


def test_a_network_of_any_size_takes_no_memory_before_it_is_initialized():
    """Sizes are known without allocating memory: of parameters, windows and buffers."""
    wide = Network([dense(10**15), BatchNorm()], MeanSquared(), (3,))
    large = Network([MaxPool2d(3, 1)], MeanSquared(), (2, 10**7, 10**7))
    assert 4 * 10**15 + 2 * 10**15 == wide.size
    assert {(10**15,)} == {array.shape for array in wide.buffers.values()}
    outputs = 2 * (10**7 - 2) ** 2
    assert 2 * 10**14 + outputs + 9 * outputs == large.layers[0].activation_count


@pytest.mark.parametrize(
    ("last", "loss"), [("softmax", CrossEntropy()), ("sigmoid", BinaryCrossEntropy())]
)
def test_predictions_are_probabilities_though_the_loss_takes_logits(last: str, loss: Any):
    """The fused loss equals the loss of the predicted probabilities, and does not overflow."""
    network = ready([dense(2, last)], loss)
    target = np.eye(2)[[0, 1, 1, 0, 1]]
    value, p = network.evaluate(X, target)
    assert loss.value(p, target) == pytest.approx(value, rel=1e-13)
    np.testing.assert_array_equal(p, network.predict(X))
    assert value == network.training_loss(X, target, np.random.default_rng(0))
    network.theta *= 1e5
    assert np.isfinite(network.evaluate(X, target)[0])


def test_the_loss_is_fused_when_a_linear_activation_follows():
    """A softmax counts as last although the identity stands after it."""
    plain, padded = ready([dense(2, "softmax")]), ready([dense(2, "softmax"), activation("linear")])
    np.testing.assert_array_equal(plain.predict(X), padded.predict(X))
    network = ready([dense(2, "softmax"), activation("linear")], CrossEntropy())
    network.theta *= 1e6
    assert np.isfinite(network.evaluate(X, np.eye(2)[[0, 1, 1, 0, 1]])[0])


@pytest.mark.parametrize(
    ("blocks", "shape", "index", "field", "message"),
    [
        ([dense(2)], (1, 4, 4), 0, None, "images of 1×4×4; put a flatten before it"),
        ([Flatten(), conv2d(2)], (1, 4, 4), 1, None, "takes images"),
        ([conv2d(2, 3), conv2d(2, 3)], (1, 4, 4), 1, "kernel", "3×3 is larger than its input"),
        ([conv2d(2, (2, 5))], (1, 4, 4), 0, "kernel", "2×5 is larger than its input of 4×4"),
        ([dense(3), MaxPool2d(2)], (4,), 1, None, "takes images"),
        ([MaxPool2d((5, 1))], (1, 4, 4), 0, "size", "5×1 is larger than its input of 4×4"),
        (
            [conv2d(2), activation("softmax")],
            (1, 4, 4),
            1,
            None,
            "softmax takes vectors, but its input is images of 2×2×2;",
        ),
        ([MatMul(2), Flatten(), conv2d(1)], (4,), 2, None, "vectors of 2 numbers"),
    ],
)
def test_a_layer_that_does_not_fit_is_named(
    blocks: list[Any], shape: tuple[int, ...], index: int, field: str | None, message: str
):
    """The error has the layer's index as it was written, the argument to blame, and a reason."""
    with pytest.raises(LayerError, match=message) as caught:
        Network(blocks, MeanSquared(), shape)
    assert (index, field) == (caught.value.index, caught.value.field)


# Layers that hold layers: names, initial values, buffers, modes, errors and costs.


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


def test_the_last_softmax_is_fused_with_the_loss_behind_a_residual():
    """Logits of any size come out of a residual, and the loss stays finite."""
    network = ready(nested(), CrossEntropy())
    network.theta *= 1e6
    assert "softmax_cross_entropy" == network.loss.type
    assert np.isfinite(network.evaluate(X, np.eye(2)[[0, 1, 1, 0, 1]])[0])


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


MADE: dict[str, Callable[..., Network]] = {
    "flat": lambda **more: ready(
        [conv2d(2, 2), BatchNorm(), Flatten(), dense(2)], shape=(1, 3, 3), **more
    ),
    "nested": lambda **more: ready(nested(), CrossEntropy(), **more),
}


@pytest.mark.parametrize("name", MADE)
def test_single_precision_goes_all_the_way(name: str):
    """All arrays of a float32 network are float32: parameters, gradients, buffers, outputs."""
    network = MADE[name](dtype=np.float32)
    x = np.random.default_rng(0).standard_normal((4, *network.input_shape)).astype(np.float32)
    network.backpropagate(x, np.zeros((4, 2), np.float32), np.random.default_rng(0))
    inside = [p.grad for p in network.parameters.values()]
    arrays = [network.theta, network.predict(x), *network.buffers.values(), *inside]
    assert {np.dtype(np.float32)} == {array.dtype for array in arrays}
    assert all(np.any(gradient) for gradient in inside)


@pytest.mark.parametrize("name", MADE)
def test_initializing_again_starts_from_the_beginning(name: str):
    """A second `initialize` with the same seed gives the weights and buffers of the first."""
    network = MADE[name]()
    start, buffers = network.theta.copy(), [array.copy() for array in network.buffers.values()]
    x = np.random.default_rng(0).standard_normal((5, *network.input_shape))
    network.training_loss(x, np.eye(2)[[0, 1, 1, 0, 1]], np.random.default_rng(0))
    mean, _ = network.buffers.values()
    assert np.any(mean)
    network.initialize(rng=np.random.default_rng(1))
    np.testing.assert_array_equal(start, network.theta)
    np.testing.assert_array_equal(buffers, [*network.buffers.values()])


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


# The outputs of a batch are those of its rows one by one.

TOLERANCE = 1e-12


@st.composite
def architectures(choice: Any, **layers: bool) -> Architecture:
    """Any network, of the kinds of layers allowed."""
    deal = choosing(lambda options: choice(st.sampled_from(list(options))))
    return draw(deal, images=deal("images", (False, True)), **layers)


def gradient(network: Network, x: Array, target: Array) -> Array:
    """The gradient of one batch, in an array of its own."""
    network.backpropagate(x, target, np.random.default_rng(0))
    return network.gradient.copy()


def assert_close(expected: Array, actual: Array) -> None:
    """Equal to 1e-12 of the largest number."""
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * scale)


@settings(max_examples=60, deadline=None)
@given(plan=architectures(), rows=st.integers(1, 9), seed=st.integers(0, 99))
def test_predictions_of_a_batch_are_those_of_its_rows(plan: Architecture, rows: int, seed: int):
    """Every row's prediction is its own, whatever stands beside it."""
    network = plan.build(seed)
    x, _ = plan.rows(rows, seed)
    expected = np.concatenate([network.predict(row[None]) for row in x])
    assert_close(expected, network.predict(x))


@settings(max_examples=60, deadline=None)
@given(plan=architectures(), rows=st.integers(1, 9), seed=st.integers(0, 99))
def test_loss_and_gradient_of_a_batch_are_means_over_its_rows(
    plan: Architecture, rows: int, seed: int
):
    """The loss and the gradient of a batch are the means of those of its rows alone."""
    network = plan.build(seed)
    x, target = plan.rows(rows, seed)
    alone = [(x[i : i + 1], target[i : i + 1]) for i in range(rows)]
    losses = np.array([network.evaluate(*row)[0] for row in alone])
    gradients = np.array([gradient(network, *row) for row in alone])
    assert_close(losses.mean(keepdims=True), np.array([network.evaluate(x, target)[0]]))
    assert_close(gradients.mean(axis=0), gradient(network, x, target))


@settings(max_examples=30, deadline=None)
@given(plan=architectures(batch_norm=True, dropout=True), seed=st.integers(0, 99))
def test_prediction_changes_nothing(plan: Architecture, seed: int):
    """Predicting twice gives the same bits and changes neither parameters nor buffers."""
    network = plan.build(seed)
    x, target = plan.rows(4, seed)
    before = network.theta.copy(), {k: v.copy() for k, v in network.buffers.items()}
    first, again = network.predict(x).copy(), network.evaluate(x, target)[1]
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(before[0], network.theta)
    assert before[1].keys() == network.buffers.keys()
    for name, array in before[1].items():
        np.testing.assert_array_equal(array, network.buffers[name])
