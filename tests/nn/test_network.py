"""Networks: where parameters live, what is fused, and which layer is to blame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.nn import (
    BatchNorm,
    BinaryCrossEntropy,
    CrossEntropy,
    Flatten,
    LayerError,
    MatMul,
    MaxPool2d,
    MeanSquared,
    Network,
    activation,
    conv2d,
    dense,
)

X = np.random.default_rng(0).standard_normal((5, 3))


def ready(blocks: list[Any], loss: Any = None, shape: tuple[int, ...] = (3,)) -> Network:
    """An initialized network."""
    network = Network(blocks, loss or MeanSquared(), shape)
    network.initialize(rng=np.random.default_rng(1))
    return network


def test_parameters_are_named_by_the_block_and_lie_in_one_vector():
    """`<index>.weight`, `<index>.bias`, in order, as views of theta and of gradient."""
    network = ready([dense(2, "tanh"), activation("relu"), dense(4, bias=False), BatchNorm()])

    parameters = network.parameters
    assert {
        "0.weight": (3, 2),
        "0.bias": (2,),
        "2.weight": (2, 4),
        "3.weight": (4,),
        "3.bias": (4,),
    } == {name: parameter.shape for name, parameter in parameters.items()}
    assert ["3.running_mean", "3.running_variance"] == list(network.buffers)
    assert 6 + 2 + 8 + 4 + 4 == network.size == network.theta.size == network.gradient.size

    network.theta[...] = network.gradient[...] = np.arange(network.size)
    for arrays in ([p.value for p in parameters.values()], [p.grad for p in parameters.values()]):
        flat = np.concatenate([array.ravel() for array in arrays])
        np.testing.assert_array_equal(np.arange(24), flat)


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


def test_a_dense_layer_is_its_three_primitives():
    """dense is matmul, bias and activation: the same draws, outputs and gradients, bit for bit."""
    one = ready([dense(4, "tanh"), dense(2)])
    three = ready([*dense(4, "tanh"), *dense(2)])
    target = np.ones((5, 2))

    for network in (one, three):
        network.backpropagate(X, target, np.random.default_rng(0))

    np.testing.assert_array_equal(one.theta, three.theta)
    np.testing.assert_array_equal(one.gradient, three.gradient)
    np.testing.assert_array_equal(one.predict(X), three.predict(X))


def test_prediction_by_hand():
    """Two layers, worked out: relu(x w₀ + b₀) w₁ + b₁."""
    network = ready([dense(2, "relu"), dense(1)], shape=(2,))
    network.theta[...] = [1, -1, 2, 1, 0.5, -0.5, 10, 100, 1]

    # (3, 1): hidden (3 + 2 + 0.5, -3 + 1 - 0.5) = (5.5, -2.5)
    assert [[5.5 * 10 + 0 * 100 + 1]] == network.predict(np.array([[3.0, 1.0]])).tolist()


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


def test_single_precision_goes_all_the_way():
    """A float32 network has float32 parameters, gradients, buffers, outputs and steps."""
    network = Network(
        [conv2d(2, 2), BatchNorm(), Flatten(), dense(2)], MeanSquared(), (1, 3, 3), np.float32
    )
    network.initialize(rng=np.random.default_rng(1))
    x = np.random.default_rng(0).standard_normal((4, 1, 3, 3)).astype(np.float32)

    network.backpropagate(x, np.zeros((4, 2), np.float32), np.random.default_rng(0))

    arrays = [network.theta, network.gradient, network.predict(x), *network.buffers.values()]
    assert {np.dtype(np.float32)} == {array.dtype for array in arrays}
    assert np.any(network.gradient)


def test_initializing_again_starts_from_the_beginning():
    """A second `initialize` with the same seed gives the weights and buffers of the first."""
    network = ready([BatchNorm(), dense(2)])
    start = network.theta.copy()
    network.training_loss(X, np.zeros((5, 2)), np.random.default_rng(0))
    assert np.any(network.buffers["0.running_mean"])

    network.initialize(rng=np.random.default_rng(1))

    np.testing.assert_array_equal(start, network.theta)
    assert [[0] * 3, [1] * 3] == [array.tolist() for array in network.buffers.values()]


@pytest.mark.parametrize(
    ("blocks", "shape", "index", "field", "message"),
    [
        ([dense(2)], (1, 4, 4), 0, None, "images of 1×4×4; put a flatten before it"),
        ([Flatten(), conv2d(2)], (1, 4, 4), 1, None, "takes images"),
        (
            [conv2d(2, 3), conv2d(2, 3)],
            (1, 4, 4),
            1,
            "kernel",
            "3×3 is larger than its input",
        ),
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
