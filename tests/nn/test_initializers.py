"""Initial weights: their formulas, their statistics, and where they come from."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from nnrun.nn import (
    INITIALIZERS,
    Convolution,
    Flatten,
    Initializer,
    MeanSquared,
    Network,
    conv2d,
    dense,
)
from nnrun.nn.initializers import DRAWS_BIASES
from nnrun.nn.signature import Array

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
