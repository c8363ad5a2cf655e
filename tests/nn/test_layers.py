"""Layers used alone, from Python, against numbers worked out by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch

from nnrun.nn import (
    AvgPool2d,
    BatchNorm,
    Bias,
    Convolution,
    CrossEntropy,
    Dropout,
    Flatten,
    Initializer,
    MatMul,
    MaxPool2d,
    MeanSquared,
    Network,
    activation,
    dense,
)
from nnrun.nn.embedding import SPREAD, Embedding, Table
from nnrun.nn.gradient_check import check_gradients
from nnrun.nn.layer import Layer
from nnrun.nn.sequential import LayerError
from nnrun.nn.signature import Array


def ready(layer: Layer, *shape: int) -> Layer:
    """The layer, connected to rows of this shape and initialized."""
    layer.connect(shape)
    layer.initialize(rng=np.random.default_rng(0))
    return layer


def test_convolution_gives_the_notebooks_example_to_the_last_digit():
    """A 3x3 identity kernel over the notebook's image: output and both gradients, exactly."""
    layer = ready(Convolution(1, padding="same", initializer=Initializer("identity")), 1, 4, 4)
    x = np.array([[[[1, 2, 3, 4], [2, 3, 4, 5], [7, 8, 97, 1], [1, 2, 3, 4]]]], dtype=float)

    y = layer.forward(x)
    dx = layer.backward(y)

    output = [[4, 6, 8, 4], [10, 101, 7, 8], [9, 13, 104, 5], [1, 9, 11, 101]]
    kernel = [[10445, 2010, 1842], [2031, 11163, 2037], [1827, 2010, 10433]]
    image = [[105, 13, 16, 4], [23, 209, 18, 16], [18, 34, 306, 12], [1, 18, 24, 205]]
    assert [[output]] == y.tolist()
    assert [[kernel]] == layer.parameters[0].grad.tolist()
    assert [[image]] == dx.tolist()


def test_matmul_is_a_matrix_product():
    """z = x w, dw = xᵀ dz and dx = dz wᵀ."""
    layer = ready(MatMul(3), 2)
    layer.parameters[0].value[...] = [[1, 0, -1], [2, 1, 0]]

    z = layer.forward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    dx = layer.backward(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]]))

    assert [[5, 2, -1], [11, 4, -3]] == z.tolist()
    assert [[1, 3, -1], [2, 4, 0]] == layer.parameters[0].grad.tolist()
    assert [[-1, 2], [1, 1]] == dx.tolist()


def test_bias_of_a_vector_is_one_number_for_each_feature():
    """y = x + b; db is the sum of dy over the rows, and dx is dy."""
    layer = ready(Bias(), 2)
    layer.parameters[0].value[...] = [10, 20]
    dy = np.array([[1.0, 2.0], [3.0, 5.0]])

    y = layer.forward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    dx = layer.backward(dy)

    assert [[11, 22], [13, 24]] == y.tolist()
    assert [4, 7] == layer.parameters[0].grad.tolist()
    assert dy.tolist() == dx.tolist()


def test_bias_per_position_has_a_number_for_every_pixel():
    """On images each channel, row and column has its own b, summed over the rows of the batch."""
    layer = ready(Bias("position"), 2, 1, 2)
    layer.parameters[0].value[...] = [[[1, 2]], [[3, 4]]]
    dy = np.arange(8.0).reshape(2, 2, 1, 2)

    y = layer.forward(np.zeros((2, 2, 1, 2)))
    layer.backward(dy)

    assert [[[[1, 2]], [[3, 4]]]] * 2 == y.tolist()
    assert [[[4, 6]], [[8, 10]]] == layer.parameters[0].grad.tolist()


def test_bias_per_channel_is_shared_by_all_pixels():
    """On images each channel has one b, summed over rows, height and width."""
    layer = ready(Bias("channel"), 2, 1, 2)
    layer.parameters[0].value[...] = [1, -1]
    dy = np.arange(8.0).reshape(2, 2, 1, 2)

    y = layer.forward(np.zeros((2, 2, 1, 2)))
    layer.backward(dy)

    assert [[[[1, 1]], [[-1, -1]]]] * 2 == y.tolist()
    assert [0 + 1 + 4 + 5, 2 + 3 + 6 + 7] == layer.parameters[0].grad.tolist()


@pytest.mark.parametrize(
    ("name", "x", "y", "dx"),
    [
        ("linear", [-2, 3], [-2, 3], [2, 4]),
        ("sigmoid", [0, log(3)], [0.5, 0.75], [0.5, 0.75]),
        ("tanh", [0, log(2)], [0, 0.6], [2, 4 * 0.64]),
        ("relu", [-2, 3], [0, 3], [0, 4]),
        ("softmax", [log(1), log(3)], [0.25, 0.75], [0.25 * (2 - 3.5), 0.75 * (4 - 3.5)]),
    ],
)
def test_the_notebooks_activations_stand_alone(name: str, x: Array, y: Array, dx: Array):
    """Each is a layer with forward and backward that needs no network; dy is (2, 4)."""
    layer = activation(name)

    np.testing.assert_allclose(layer.forward(np.array([x], float)), [y], rtol=1e-15)
    np.testing.assert_allclose(layer.backward(np.array([[2.0, 4.0]])), [dx], rtol=1e-14)


def test_the_notebooks_losses_stand_alone():
    """Mean squared loss and cross-entropy give a value and a gradient without a network."""
    y, target = np.array([[0.25, 0.75]]), np.array([[0.0, 1.0]])

    assert 0.0625 == MeanSquared().value(y, target)
    assert [[0.25, -0.25]] == MeanSquared().gradient(y, target).tolist()
    assert log(4 / 3) == pytest.approx(CrossEntropy().value(y, target), rel=1e-15)
    assert [[0, -4 / 3]] == CrossEntropy().gradient(y, target).tolist()


def test_convolution_skips_and_drops_what_the_stride_leaves_over():
    """Stride 2 on a row of five pixels with a 1x2 kernel: the last pixel takes no part."""
    layer = ready(Convolution(1, kernel=(1, 2), stride=2), 1, 1, 5)
    layer.parameters[0].value[...] = [[[[10, 1]]]]

    y = layer.forward(np.array([[[[1.0, 2.0, 3.0, 4.0, 5.0]]]]))
    dx = layer.backward(np.array([[[[1.0, 100.0]]]]))

    assert [[[[12, 34]]]] == y.tolist()
    assert [[[[1 * 1 + 3 * 100, 2 * 1 + 4 * 100]]]] == layer.parameters[0].grad.tolist()
    assert [[[[10, 1, 1000, 100, 0]]]] == dx.tolist()


def test_same_padding_puts_the_odd_zero_at_the_bottom_and_right():
    """A 2x2 kernel keeps the size of the image with one row and column of zeros at the end."""
    layer = ready(Convolution(1, kernel=2, padding="same"), 1, 2, 2)
    layer.parameters[0].value[...] = 1

    y = layer.forward(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]))

    assert [[[[10, 6], [7, 4]]]] == y.tolist()


def test_convolution_adds_over_the_channels_it_takes_in():
    """Two channels in and two out: 1x1 kernels are a matrix product at every pixel."""
    layer = ready(Convolution(2, kernel=1), 2, 1, 2)
    layer.parameters[0].value[...] = np.array([[1, 2], [3, 4]]).reshape(2, 2, 1, 1)

    y = layer.forward(np.array([[[[1.0, 10.0]], [[5.0, 50.0]]]]))

    assert [[[[11, 110]], [[23, 230]]]] == y.tolist()


def test_max_pooling_takes_the_largest_and_returns_its_gradient_to_it():
    """Overlapping windows add up at a pixel that won in both; of equals the first one wins."""
    layer = ready(MaxPool2d((1, 2), stride=1), 1, 1, 4)

    y = layer.forward(np.array([[[[1.0, 7.0, 2.0, 2.0]]]]))
    dx = layer.backward(np.array([[[[1.0, 10.0, 100.0]]]]))

    assert [[[[7, 7, 2]]]] == y.tolist()
    assert [[[[0, 11, 100, 0]]]] == dx.tolist()


def test_average_pooling_takes_the_mean_and_shares_the_gradient():
    """Each pixel gets dy / 2 from every window of two pixels that holds it."""
    layer = ready(AvgPool2d((1, 2), stride=1), 1, 1, 4)

    y = layer.forward(np.array([[[[1.0, 7.0, 2.0, 2.0]]]]))
    dx = layer.backward(np.array([[[[2.0, 20.0, 200.0]]]]))

    assert [[[[4, 4.5, 2]]]] == y.tolist()
    assert [[[[1, 11, 110, 100]]]] == dx.tolist()


def test_flatten_lays_out_channel_by_channel_and_row_by_row():
    """The last axis runs fastest, and backward restores the image."""
    layer = ready(Flatten(), 2, 1, 2)
    x = np.array([[[[1.0, 2.0]], [[3.0, 4.0]]]])

    assert [[1, 2, 3, 4]] == layer.forward(x).tolist()
    assert x.tolist() == layer.backward(np.array([[1.0, 2.0, 3.0, 4.0]])).tolist()


def test_batch_norm_normalises_a_batch_and_remembers_it():
    """Features 1 and 3 become ∓1; running values move a tenth of the way, variance unbiased."""
    layer = ready(BatchNorm(momentum=0.1, epsilon=1e-300), 1)
    layer.parameters[0].value[...], layer.parameters[1].value[...] = 5, 100
    x = np.array([[1.0], [3.0]])

    assert [[95], [105]] == layer.forward(x, np.random.default_rng(0)).tolist()
    assert 0.2 == pytest.approx(layer.buffers["running_mean"][0], rel=1e-15)
    assert 0.9 + 0.1 * 2 == pytest.approx(layer.buffers["running_variance"][0], rel=1e-15)


def test_batch_norm_evaluates_with_what_it_remembered():
    """Without a stream a row is normalised by the running values, whatever stands beside it."""
    layer = ready(BatchNorm(epsilon=1e-300), 1)
    layer.buffers["running_mean"][...], layer.buffers["running_variance"][...] = 1, 4

    assert [[0], [2]] == layer.forward(np.array([[1.0], [5.0]])).tolist()
    assert [[1.5]] == layer.backward(np.array([[3.0], [3.0]]))[:1].tolist()
    assert {"running_mean": [1], "running_variance": [4]} == {
        name: array.tolist() for name, array in layer.buffers.items()
    }


def test_dropout_drops_its_rate_and_keeps_the_mean():
    """A fifth of the numbers become zero, the rest grow by 1 / (1 - rate); backward likewise."""
    layer = Dropout(rate=0.2)
    x = np.ones((100, 100))

    y = layer.forward(x, np.random.default_rng(0))

    assert {0.0, 1.25} == set(np.unique(y))
    assert 0.2 == pytest.approx(np.mean(y == 0), abs=4 * (0.2 * 0.8 / x.size) ** 0.5)
    np.testing.assert_array_equal(3 * y, layer.backward(np.full_like(x, 3.0)))


def test_dropout_does_nothing_in_evaluation():
    """Without a stream y = x and dx = dy, also after a call in training."""
    layer = Dropout(rate=0.5)
    x = np.array([[1.0, 2.0, 3.0]])
    layer.forward(x, np.random.default_rng(0))

    assert x.tolist() == layer.forward(x).tolist()
    assert x.tolist() == layer.backward(x).tolist()


# Embeddings: their vectors, their gradients, and PyTorch's.

# Of five features the first and the fourth are numbers of categories.
TABLES = (Table(3, 7, 2), Table(0, 4, 3))


def coded_rows(count, rng):
    x = rng.normal(size=(count, 5))
    for table in TABLES:
        x[:, table.place] = rng.integers(table.entries, size=count)
    return x


@pytest.fixture
def embedded():
    """Two embeddings before dense layers."""
    blocks = [[Embedding(TABLES), *dense(6, "tanh")], dense(2)]
    made = Network(blocks, MeanSquared(), (5,))
    made.initialize(rng=np.random.default_rng(1))
    return made


def test_categories_become_vectors_in_their_place():
    """Other features stay between them, as they are."""
    layer = Embedding(TABLES)
    assert (8,) == layer.connect((5,))
    layer.initialize(rng=np.random.default_rng(0))
    first, second = (w.value for w in layer.w)
    y = layer.forward(np.array([[2, 0.5, -1, 6, 9], [3, 1, 2, 0, 4]]))
    expected = [
        [*first[2], 0.5, -1, *second[6], 9],
        [*first[3], 1, 2, *second[0], 4],
    ]
    assert expected == y.tolist()


def test_vectors_begin_small_and_the_last_one_at_zero():
    """The last one stands for categories that training rows may not have."""
    layer = Embedding([Table(0, 1001, 4)])
    layer.connect((1,))
    layer.initialize(rng=np.random.default_rng(0))
    w = layer.w[0].value
    assert [0.0] * 4 == w[-1].tolist()
    assert 0.99 * SPREAD < np.abs(w).max() < SPREAD
    assert w.std() == pytest.approx(SPREAD / np.sqrt(3), rel=0.05)


def test_gradients_are_exact(embedded):
    """They agree with central differences, those of categories that no row has being 0."""
    rng = np.random.default_rng(2)
    checks = check_gradients(embedded, coded_rows(9, rng), rng.normal(size=(9, 2)), rng=rng)
    assert ["0.embedding0", "0.embedding1"] == [check.name for check in checks[:2]]
    assert all(check.passed and check.error <= 1e-7 for check in checks)


def test_pytorch_has_the_same_gradients(embedded):
    """Those of nn.Embedding and nn.Linear, to 1e-10."""
    rng = np.random.default_rng(3)
    x, target = coded_rows(50, rng), rng.normal(size=(50, 2))
    values = {name: torch.tensor(p.value) for name, p in embedded.parameters.items()}
    shop, town = (
        torch.nn.Embedding.from_pretrained(values[f"0.embedding{i}"], freeze=False)
        for i in range(2)
    )
    linear = [
        values[name].requires_grad_() for name in ("0.weight", "0.bias", "1.weight", "1.bias")
    ]
    t = torch.tensor(x)
    h = torch.cat([shop(t[:, 0].long()), t[:, 1:3], town(t[:, 3].long()), t[:, 4:]], 1)
    y = torch.tanh(h @ linear[0] + linear[1]) @ linear[2] + linear[3]
    loss = torch.nn.functional.mse_loss(y, torch.tensor(target))
    loss.backward()
    ours = embedded.loss_and_gradient(x, target, rng)
    assert loss.item() == pytest.approx(ours, rel=1e-12)
    theirs = [shop.weight.grad, town.weight.grad, *(w.grad for w in linear)]
    for parameter, gradient in zip(embedded.parameters.values(), theirs, strict=True):
        np.testing.assert_allclose(parameter.grad, gradient.numpy(), rtol=0, atol=1e-10)


def test_the_gradient_of_the_input_is_that_of_other_features(embedded):
    """0 for numbers of categories, which have no slope."""
    layer = embedded.layers[0]
    rng = np.random.default_rng(4)
    x, dy = coded_rows(3, rng), rng.normal(size=(3, 8))
    layer.forward(x)
    dx = layer.backward(dy)
    np.testing.assert_array_equal(np.zeros((3, 2)), dx[:, [0, 3]])
    np.testing.assert_array_equal(dy[:, [3, 4, 7]], dx[:, [1, 2, 4]])


def test_too_few_features_are_refused():
    """A table belongs to a feature."""
    with pytest.raises(LayerError, match="there are 3 features, too few for the categories"):
        Network([[Embedding(TABLES), *dense(1)]], MeanSquared(), (3,))
