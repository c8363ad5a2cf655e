"""Losses: values and gradients by hand, at certainty, and fused with the last activation."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss, mean_poisson_deviance

from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.losses import (
    FUSED,
    LOSSES,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    Loss,
    MeanAbsolute,
    MeanSquared,
    Pinball,
    Poisson,
    SigmoidBinaryCrossEntropy,
    SoftmaxCrossEntropy,
)
from nnrun.nn.signature import Array
from tests.nn.numerical import differences

Y = np.array([[1.0, 2.0], [3.0, 4.0]])
T = np.array([[0.0, 4.0], [3.0, 1.0]])  # the errors are 1, -2, 0 and 3


@pytest.mark.parametrize(
    ("loss", "value", "gradient"),
    [
        (MeanSquared(), (1 + 4 + 0 + 9) / 4, [[0.5, -1], [0, 1.5]]),
        (MeanAbsolute(), (1 + 2 + 0 + 3) / 4, [[0.25, -0.25], [0, 0.25]]),
        (Huber(), (0.5 + 1.5 + 0 + 2.5) / 4, [[0.25, -0.25], [0, 0.25]]),
        (Huber(delta=2.0), (0.5 + 2 + 0 + 4) / 4, [[0.25, -0.5], [0, 0.5]]),
        (Pinball(quantile=0.75), (0.25 + 1.5 + 0 + 0.75) / 4, [[0.0625, -0.1875], [0, 0.0625]]),
    ],
)
def test_regression_losses_are_means_over_rows_and_outputs(
    loss: Loss, value: float, gradient: list
):
    """Value and gradient of four errors, by hand."""
    assert value == loss.value(Y, T)
    assert gradient == loss.gradient(Y, T).tolist()


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_pinball_is_that_of_scikit_learn(quantile: float):
    """The mean over rows and outputs is `mean_pinball_loss`, which takes the quantile as alpha."""
    rng = np.random.default_rng(0)
    y, t = rng.standard_normal((2, 50, 3))

    expected = mean_pinball_loss(t, y, alpha=quantile)

    assert expected == pytest.approx(Pinball(quantile).value(y, t), rel=1e-14)


def test_poisson_is_half_the_deviance_of_scikit_learn():
    """`mean_poisson_deviance` is twice the loss, where targets are 0, too."""
    rng = np.random.default_rng(0)
    y, t = rng.uniform(0.1, 5, (2, 50, 1))
    t[:20] = 0

    assert mean_poisson_deviance(t, y) / 2 == pytest.approx(Poisson().value(y, t), rel=1e-14)


def test_poisson_of_no_counts():
    """An output of 0 costs nothing with a slope of 1 where nothing is counted; else, infinity."""
    nothing, some = np.zeros((1, 1)), np.ones((1, 1))

    assert 0 == Poisson().value(nothing, nothing)
    assert [[1]] == Poisson().gradient(nothing, nothing).tolist()
    assert inf == Poisson().value(nothing, some)
    assert [[-inf]] == Poisson().gradient(nothing, some).tolist()


def test_cross_entropy_is_a_mean_over_rows():
    """-log p of the class that is: log 2 and log 4; the gradient is -1 / p / rows there."""
    p = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    t = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

    assert (log(2) + log(4)) / 2 == pytest.approx(CrossEntropy().value(p, t), rel=1e-15)
    assert [[-1, 0, 0], [0, 0, -2]] == CrossEntropy().gradient(p, t).tolist()


def test_binary_cross_entropy_adds_its_outputs():
    """Two questions in a row add up: log 2 for the first, log 4/3 for the second."""
    p, t = np.array([[0.5, 0.25]]), np.array([[1.0, 0.0]])

    assert log(2) + log(4 / 3) == pytest.approx(BinaryCrossEntropy().value(p, t), rel=1e-15)
    np.testing.assert_allclose(BinaryCrossEntropy().gradient(p, t), [[-2, 4 / 3]], rtol=1e-15)


def test_cross_entropy_of_certainty():
    """p = 0 for a class that is not costs nothing; for the class that is it costs infinity."""
    right, wrong = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])

    assert 0 == CrossEntropy().value(right, right)
    assert [[-1, 0]] == CrossEntropy().gradient(right, right).tolist()
    assert inf == CrossEntropy().value(wrong, right)
    assert [[-inf, 0]] == CrossEntropy().gradient(wrong, right).tolist()


def test_binary_cross_entropy_of_certainty():
    """Being certain and right costs nothing with slopes 1 / (1 - p) and -1 / p; wrong, infinity."""
    p, t = np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])

    assert 0 == BinaryCrossEntropy().value(p, t)
    assert [[1, -1]] == BinaryCrossEntropy().gradient(p, t).tolist()
    assert inf == BinaryCrossEntropy().value(p, 1 - t)
    assert [[-inf, inf]] == BinaryCrossEntropy().gradient(p, 1 - t).tolist()


def test_fused_losses_stay_finite_for_logits_of_ten_thousand():
    """Being wrong by 20,000 in logits costs 20,000, with a gradient of one, and no warning."""
    z, t = np.array([[1e4, -1e4]]), np.array([[0.0, 1.0]])

    assert 2e4 == SoftmaxCrossEntropy().value(z, t)
    assert [[1, -1]] == SoftmaxCrossEntropy().gradient(z, t).tolist()
    assert 0 == SoftmaxCrossEntropy().value(z, 1 - t)
    assert [[0, 0]] == SoftmaxCrossEntropy().gradient(z, 1 - t).tolist()
    assert 2e4 == SigmoidBinaryCrossEntropy().value(z, t)
    np.testing.assert_allclose(SigmoidBinaryCrossEntropy().gradient(z, t), [[1, -1]])
    assert 0 == SigmoidBinaryCrossEntropy().value(z, 1 - t)
    np.testing.assert_allclose(
        SigmoidBinaryCrossEntropy().gradient(z, 1 - t), [[0, 0]], atol=1e-300
    )


def targets(loss: str, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Targets that suit a loss: one-hot rows, zeros and ones, or any numbers."""
    if loss == "cross_entropy":
        return np.eye(shape[1])[rng.integers(shape[1], size=shape[0])]
    if loss == "binary_cross_entropy":
        return rng.integers(2, size=shape).astype(float)
    if loss == "poisson":
        return rng.poisson(1, shape).astype(float)
    return rng.standard_normal(shape)


@pytest.mark.parametrize(("activation", "loss"), sorted(FUSED))
def test_fused_losses_equal_their_two_steps(activation: str, loss: str):
    """From moderate logits, activation then loss gives the same value and the same gradient."""
    rng = np.random.default_rng(0)
    z, t = rng.standard_normal((5, 3)), targets(loss, (5, 3), rng)
    first, second, fused = ACTIVATIONS[activation](), LOSSES[loss](), FUSED[activation, loss]()

    y = first.forward(z)
    expected = first.backward(second.gradient(y, t))

    assert second.value(y, t) == pytest.approx(fused.value(z, t), rel=1e-14)
    np.testing.assert_allclose(fused.gradient(z, t), expected, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_agrees_with_its_own_gradient(name: str, rows: int):
    """The gradient is that of the very number reported, whatever the rows and outputs."""
    rng = np.random.default_rng(rows)
    y, t = rng.uniform(0.1, 0.9, (rows, 3)), targets(name, (rows, 3), rng)
    loss = LOSSES[name]()

    expected = differences(lambda: loss.value(y, t), y, h=1e-4)

    np.testing.assert_allclose(loss.gradient(y, t), expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize(("activation", "name"), sorted(FUSED))
def test_every_fused_loss_agrees_with_its_own_gradient(activation: str, name: str, rows: int):
    """The gradient to the logits is that of the very number reported."""
    rng = np.random.default_rng(rows)
    z, t = 3 * rng.standard_normal((rows, 3)), targets(name, (rows, 3), rng)
    loss = FUSED[activation, name]()

    expected = differences(lambda: loss.value(z, t), z)

    np.testing.assert_allclose(loss.gradient(z, t), expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), CrossEntropy()], ids=lambda loss: loss.type)
def test_cross_entropies_take_soft_targets(loss: Loss):
    """Targets that are shares and not certainties have exact gradients too."""
    rng = np.random.default_rng(0)
    y, t = rng.uniform(0.1, 0.9, (3, 2)), rng.dirichlet([1.0, 1.0], 3)

    expected = differences(lambda: loss.value(y, t), y, h=1e-4)

    np.testing.assert_allclose(loss.gradient(y, t), expected, rtol=1e-7)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses_keep_single_precision(name: str):
    """The gradient has the predictions' dtype and agrees with float64's to six digits."""
    rng = np.random.default_rng(0)
    y, t = rng.uniform(0.1, 0.9, (4, 3)), targets(name, (4, 3), rng)
    loss = LOSSES[name]()

    gradient = loss.gradient(y.astype(np.float32), t.astype(np.float32))

    assert np.float32 == gradient.dtype
    np.testing.assert_allclose(gradient, loss.gradient(y, t), rtol=1e-5, atol=1e-7)
