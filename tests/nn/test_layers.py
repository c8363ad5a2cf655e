"""Layers used alone, against numbers worked out by hand, and the weights that they start with."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch

from nnrun.nn import (
    INITIALIZERS,
    AvgPool2d,
    BatchNorm,
    Bias,
    Convolution,
    Dropout,
    Flatten,
    Initializer,
    MatMul,
    MaxPool2d,
    MeanSquared,
    Network,
    conv2d,
    dense,
)
from nnrun.nn.embedding import SPREAD, Embedding, Table
from nnrun.nn.initializers import DRAWS_BIASES
from nnrun.nn.layer import Layer
from nnrun.nn.sequential import LayerError
from nnrun.nn.signature import Array


def ready(layer: Layer, *shape: int) -> Layer:
    """The layer, connected to rows of this shape and initialized."""
    layer.connect(shape)
    layer.initialize(rng=np.random.default_rng(0))
    return layer


@dataclass(frozen=True)
class Example:
    """A layer with what it makes of x, in lists.

    Args:
        layer: to be connected to rows of the shape.
        shape: of a row.
        x: that goes in, and y that comes out.
        y: likewise; it is dy too where that is None.
        w: the value of its parameter, where it has one.
        dy: that comes back, with the dx and dw that it makes.
        dx: likewise.
        dw: likewise.
    """

    layer: Layer
    shape: tuple[int, ...]
    x: Any
    y: Any
    w: Any = None
    dy: Any = None
    dx: Any = None
    dw: Any = None


EXAMPLES = {
    "the notebook's convolution, by a kernel of 3x3 that is the identity": Example(
        Convolution(1, padding="same", initializer=Initializer("identity")),
        (1, 4, 4),
        x=[[[[1, 2, 3, 4], [2, 3, 4, 5], [7, 8, 97, 1], [1, 2, 3, 4]]]],
        y=[[[[4, 6, 8, 4], [10, 101, 7, 8], [9, 13, 104, 5], [1, 9, 11, 101]]]],
        dx=[[[[105, 13, 16, 4], [23, 209, 18, 16], [18, 34, 306, 12], [1, 18, 24, 205]]]],
        dw=[[[[10445, 2010, 1842], [2031, 11163, 2037], [1827, 2010, 10433]]]],
    ),
    "a matrix product: z = x w, dw = xᵀ dz, dx = dz wᵀ": Example(
        MatMul(3),
        (2,),
        w=[[1, 0, -1], [2, 1, 0]],
        x=[[1, 2], [3, 4]],
        y=[[5, 2, -1], [11, 4, -3]],
        dy=[[1, 0, 2], [0, 1, -1]],
        dx=[[-1, 2], [1, 1]],
        dw=[[1, 3, -1], [2, 4, 0]],
    ),
    "a bias per position, which has a number for every pixel": Example(
        Bias("position"),
        (2, 1, 2),
        w=[[[1, 2]], [[3, 4]]],
        x=[[[[0, 0]], [[0, 0]]]] * 2,
        y=[[[[1, 2]], [[3, 4]]]] * 2,
        dy=[[[[0, 1]], [[2, 3]]], [[[4, 5]], [[6, 7]]]],
        dw=[[[4, 6]], [[8, 10]]],
    ),
    "a convolution drops what the stride leaves over": Example(
        Convolution(1, kernel=(1, 2), stride=2),
        (1, 1, 5),
        w=[[[[10, 1]]]],
        x=[[[[1, 2, 3, 4, 5]]]],
        y=[[[[12, 34]]]],
        dy=[[[[1, 100]]]],
        dx=[[[[10, 1, 1000, 100, 0]]]],
        dw=[[[[1 * 1 + 3 * 100, 2 * 1 + 4 * 100]]]],
    ),
    "same padding puts the odd zero at the bottom and right": Example(
        Convolution(1, kernel=2, padding="same"),
        (1, 2, 2),
        w=[[[[1, 1], [1, 1]]]],
        x=[[[[1, 2], [3, 4]]]],
        y=[[[[10, 6], [7, 4]]]],
    ),
    "max pooling: a pixel that won in both windows adds up; of equals the first one wins": Example(
        MaxPool2d((1, 2), stride=1),
        (1, 1, 4),
        x=[[[[1, 7, 2, 2]]]],
        y=[[[[7, 7, 2]]]],
        dy=[[[[1, 10, 100]]]],
        dx=[[[[0, 11, 100, 0]]]],
    ),
    "average pooling: a pixel gets dy / 2 from each window that holds it": Example(
        AvgPool2d((1, 2), stride=1),
        (1, 1, 4),
        x=[[[[1, 7, 2, 2]]]],
        y=[[[[4, 4.5, 2]]]],
        dy=[[[[2, 20, 200]]]],
        dx=[[[[1, 11, 110, 100]]]],
    ),
    "flatten, whose last axis runs fastest": Example(
        Flatten(), (2, 1, 2), x=[[[[1, 2]], [[3, 4]]]], y=[[1, 2, 3, 4]], dx=[[[[1, 2]], [[3, 4]]]]
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_layers_by_hand(name: str):
    """Outputs and both gradients are exactly those of pencil and paper."""
    one = EXAMPLES[name]
    layer = ready(one.layer, *one.shape)
    if one.w is not None:
        layer.parameters[0].value[...] = one.w
    y = layer.forward(np.array(one.x, float))
    dx = layer.backward(y if one.dy is None else np.array(one.dy, float))
    assert one.y == y.tolist()
    if one.dx is not None:
        assert one.dx == dx.tolist()
    if one.dw is not None:
        assert one.dw == layer.parameters[0].grad.tolist()


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
    expected = [[*first[2], 0.5, -1, *second[6], 9], [*first[3], 1, 2, *second[0], 4]]
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


# Initial weights: their formulas, their statistics, and where they come from.

INPUTS, UNITS = 300, 200
SYMMETRIC = {  # name: (variance, limit or None)
    "glorot_uniform": (2 / (INPUTS + UNITS), sqrt(6 / (INPUTS + UNITS))),
    "glorot_normal": (2 / (INPUTS + UNITS), None),
    "he_uniform": (2 / INPUTS, sqrt(6 / INPUTS)),
    "he_normal": (2 / INPUTS, None),
    "lecun_normal": (1 / INPUTS, None),
    "orthogonal": (1 / INPUTS, None),
    "normal": (1.0, None),
}
RANDOM = sorted(set(INITIALIZERS) - {"zeros", "identity"})


def weights(name: str, scale: float = 1.0, seed: int = 0) -> Array:
    """Weights of a dense layer of 300 inputs and 200 units."""
    rng = np.random.default_rng(seed)
    return Initializer(name, scale).weights((INPUTS, UNITS), (INPUTS, UNITS), rng=rng)


def drawn(blocks: list, shape: tuple[int, ...], seed: int = 0, **options: type) -> dict[str, Array]:
    """The initial parameters of a network."""
    network = Network(blocks, MeanSquared(), shape, **options)
    network.initialize(rng=np.random.default_rng(seed))
    return {name: parameter.value for name, parameter in network.parameters.items()}


@pytest.mark.parametrize("name", sorted(SYMMETRIC))
def test_mean_and_variance(name: str):
    """60,000 weights have mean zero and the variance of the paper, within five standard errors."""
    variance, limit = SYMMETRIC[name]
    w = weights(name)
    excess = 2.0 if limit is None else 0.8  # E x⁴ / σ⁴ - 1 of a normal, of a uniform
    assert 0 == pytest.approx(w.mean(), abs=5 * sqrt(variance / w.size))
    assert variance == pytest.approx(w.var(), rel=5 * sqrt(excess / w.size))


@pytest.mark.parametrize("name", ["glorot_uniform", "he_uniform"])
def test_uniform_limits(name: str):
    """Uniform weights fill their range to the limits and do not pass them."""
    _, limit = SYMMETRIC[name]
    w = weights(name)
    assert limit * 0.999 < w.max() <= limit
    assert -limit <= w.min() < -limit * 0.999


@pytest.mark.parametrize("name", ["glorot_normal", "he_normal", "lecun_normal"])
def test_normal_tails(name: str):
    """Normal weights are not cut off: 4.55% lie beyond two standard deviations."""
    w = weights(name) / sqrt(SYMMETRIC[name][0])
    assert 0.0455 == pytest.approx(np.mean(np.abs(w) > 2), abs=5 * sqrt(0.0455 / w.size))


@pytest.mark.parametrize(("rows", "columns"), [(5, 3), (3, 5), (4, 4)])
def test_orthogonal_matrices_have_orthonormal_rows_or_columns(rows: int, columns: int):
    """Whichever are fewer; either sign of the determinant occurs."""
    rng = np.random.default_rng(0)
    drawn = [
        INITIALIZERS["orthogonal"]((rows, columns), (rows, columns), rng=rng) for _ in "123456"
    ]
    for w in drawn:
        fewer = w.T @ w if rows >= columns else w @ w.T
        assert np.eye(min(rows, columns)) == pytest.approx(fewer, abs=1e-14)
    kernel = INITIALIZERS["orthogonal"]((2, 3, 2, 2), (12, 8), rng=rng).reshape(2, -1)
    assert np.eye(2) == pytest.approx(kernel @ kernel.T, abs=1e-14)
    assert rows != columns or {-1, 1} == {round(np.linalg.det(w)) for w in drawn}


def test_a_truncated_normal_ends_at_two_standard_deviations():
    """Its variance is that of N(0, 1) without what is beyond ±2: 0.7737."""
    w = weights("truncated_normal")
    assert 1.99 < np.abs(w).max() <= 2
    assert 0.7737 == pytest.approx(w.var(), rel=5 * sqrt(1.2 / w.size))


def test_uniform_is_the_stream_itself():
    """U[0, 1), for weights and then for biases, from the one stream."""
    rng = np.random.default_rng(0)
    parameters = drawn([dense(3, initializer=Initializer("uniform"))], (4,))
    np.testing.assert_array_equal(rng.random((4, 3)), parameters["0.weight"])
    np.testing.assert_array_equal(rng.random(3), parameters["0.bias"])


def test_scaled_uniform_is_the_notebooks_formula():
    """Weights U[0,1)·sqrt(2/(fan_in+fan_out)), then biases U[0,1)·sqrt(2/(1+units))."""
    rng = np.random.default_rng(0)
    parameters = drawn([dense(3, initializer=Initializer("scaled_uniform"))], (4,))
    np.testing.assert_array_equal(rng.random((4, 3)) * sqrt(2 / 7), parameters["0.weight"])
    np.testing.assert_array_equal(rng.random(3) * sqrt(2 / 4), parameters["0.bias"])


def test_identity_and_zeros():
    """Identity has ones on the diagonal of the last two axes, zeros has none."""
    rng = np.random.default_rng(0)
    eye = Initializer("identity", scale=3.0).weights((2, 1, 2, 3), (6, 12), rng=rng)
    assert [[[[3, 0, 0], [0, 3, 0]]]] * 2 == eye.tolist()
    assert [[0, 0]] == Initializer("zeros").weights((1, 2), (1, 2), rng=rng).tolist()


@pytest.mark.parametrize("name", RANDOM)
def test_scale_multiplies(name: str):
    """A scale of 3 gives three times the weights of the same stream."""
    np.testing.assert_array_equal(3 * weights(name), weights(name, scale=3.0))


def test_scale_multiplies_biases_too():
    """Where biases are drawn, the scale is theirs as well."""
    plain = Initializer("scaled_uniform").biases((5,), rng=np.random.default_rng(0))
    scaled = Initializer("scaled_uniform", 0.5).biases((5,), rng=np.random.default_rng(0))
    assert np.all(plain > 0)
    np.testing.assert_array_equal(0.5 * plain, scaled)


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_biases_start_at_zero_unless_they_are_drawn(name: str):
    """Only uniform and scaled_uniform draw biases, of dense layers and of both conv kinds."""
    own = Initializer(name)
    blocks = [
        conv2d(2, 2, bias="per_channel", initializer=own),
        conv2d(3, 1, bias="per_position", initializer=own),
        Flatten(),
        dense(2, initializer=own),
    ]
    parameters = drawn(blocks, (1, 3, 3))
    assert {"uniform", "scaled_uniform"} == DRAWS_BIASES
    for block, shape in ((0, (2,)), (1, (3, 2, 2)), (3, (2,))):
        bias = parameters[f"{block}.bias"]
        assert shape == bias.shape
        assert np.all((bias != 0) == (name in DRAWS_BIASES))


def test_bias_per_position_has_as_many_fans_as_positions():
    """A bias is one constant input to its units: 3·2·2 positions are 12 units."""
    blocks = [conv2d(3, 2, bias="per_position", initializer=Initializer("scaled_uniform"))]
    rng = np.random.default_rng(0)
    rng.random((3, 1, 2, 2))
    bias = drawn(blocks, (1, 3, 3))["0.bias"]
    np.testing.assert_array_equal(rng.random((3, 2, 2)) * sqrt(2 / 13), bias)


@pytest.mark.parametrize(
    ("name", "limit"),
    [("glorot_uniform", sqrt(6 / (8 * 15 + 16 * 15))), ("he_uniform", sqrt(6 / (8 * 15)))],
)
def test_fans_of_a_convolution_count_the_kernel(name: str, limit: float):
    """fan_in is channels in times the kernel's area, fan_out is channels out times it."""
    layer = Convolution(16, (3, 5), initializer=Initializer(name))
    layer.connect((8, 9, 9))
    layer.initialize(rng=np.random.default_rng(0))
    assert limit * 0.99 < np.abs(layer.parameters[0].value).max() <= limit


@pytest.mark.parametrize("name", RANDOM)
def test_layers_of_the_same_shape_start_different(name: str):
    """One stream runs through all layers, so no two of them start equal."""
    own = Initializer(name)
    parameters = drawn([dense(4, initializer=own), dense(4, initializer=own)], (4,))
    assert np.all(parameters["0.weight"] != parameters["1.weight"])


def test_same_seed_same_bits():
    """A seed decides every weight; another seed gives others; float32 is the same, rounded."""
    blocks = [dense(4), dense(4)]
    first, again = drawn(blocks, (4,), 7)["1.weight"], drawn([dense(4), dense(4)], (4,), 7)
    single = drawn([dense(4), dense(4)], (4,), 7, dtype=np.float32)["1.weight"]
    np.testing.assert_array_equal(first, again["1.weight"])
    np.testing.assert_array_equal(first.astype(np.float32), single)
    assert np.all(first != drawn([dense(4), dense(4)], (4,), 8)["1.weight"])


def test_layers_start_by_glorot_uniform():
    """Without an initializer a layer draws by glorot_uniform, with scale one."""
    expected = Initializer("glorot_uniform").weights((4, 3), (4, 3), rng=np.random.default_rng(0))
    np.testing.assert_array_equal(expected, drawn([dense(3)], (4,))["0.weight"])
