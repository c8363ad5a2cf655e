"""Label smoothing: what training minimizes, while evaluations report the loss without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.explain.trace import loss_equation
from nnrun.nn import SGD, BinaryCrossEntropy, CrossEntropy, Network, dense
from nnrun.nn.gradient_check import check_gradients
from nnrun.nn.losses import FUSED, Loss, SigmoidBinaryCrossEntropy, SoftmaxCrossEntropy, Weighted
from nnrun.nn.losses.weighted import join_weights
from tests.nn.numerical import differences

S, ROWS = 0.1, 12
ENGINES = {"numpy": NumpyEngine, "generated": CompiledEngine, "tape": TapeEngine}
# The last activation, and what targets of a row are: one of three classes, or three yes or no.
KINDS: dict[str, tuple[str, type[Loss]]] = {
    "softmax": ("softmax", CrossEntropy),
    "sigmoid": ("sigmoid", BinaryCrossEntropy),
    "softmax_alone": ("sigmoid", CrossEntropy),
    "sigmoid_alone": ("softmax", BinaryCrossEntropy),
}


def targets(binary: bool, rows: int = ROWS) -> np.ndarray:
    rng = np.random.default_rng(3)
    yes = rng.integers(2, size=(rows, 3)).astype(np.float64)
    return yes if binary else np.eye(3)[rng.integers(3, size=rows)]


def by_pytorch(z: np.ndarray, target: np.ndarray, binary: bool) -> tuple[float, np.ndarray]:
    """The loss and its gradient."""
    logits = torch.tensor(z, requires_grad=True)
    if binary:
        smooth = torch.tensor(target * (1 - S) + S / 2)
        loss = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="sum")
        loss = loss / len(z)
    else:
        loss = functional.cross_entropy(
            logits, torch.tensor(target.argmax(axis=1)), label_smoothing=S
        )
    loss.backward()
    assert logits.grad is not None
    return loss.item(), logits.grad.numpy()


@pytest.mark.parametrize("binary", [False, True], ids=["softmax", "sigmoid"])
def test_losses_are_those_of_pytorch(binary: bool):
    """The value and the gradient of logits, to 1e-10; and the value of probabilities."""
    z, target = np.random.default_rng(0).normal(scale=3, size=(ROWS, 3)), targets(binary)
    loss = (SigmoidBinaryCrossEntropy if binary else SoftmaxCrossEntropy)(S)
    expected, gradient = by_pytorch(z, target, binary)
    assert expected == pytest.approx(loss.value(z, target), rel=1e-10)
    np.testing.assert_allclose(loss.gradient(z, target), gradient, rtol=1e-10, atol=1e-10)
    logits = torch.tensor(z)
    p = (torch.sigmoid(logits) if binary else torch.softmax(logits, dim=1)).numpy()
    alone = (BinaryCrossEntropy if binary else CrossEntropy)(S)
    assert expected == pytest.approx(alone.value(p, target), rel=1e-10)


@pytest.mark.parametrize(
    "loss",
    [CrossEntropy(S), BinaryCrossEntropy(S), SoftmaxCrossEntropy(S), SigmoidBinaryCrossEntropy(S)],
    ids=lambda loss: loss.type,
)
def test_gradients_are_those_of_the_value(loss: Loss):
    """Central differences, to 1e-7; with weights of rows too."""
    rng = np.random.default_rng(1)
    y, target = rng.uniform(0.2, 0.8, (4, 3)), targets("binary" in loss.type, 4)
    y /= y.sum(axis=1, keepdims=True)
    expected = differences(lambda: loss.value(y, target), y)
    np.testing.assert_allclose(loss.gradient(y, target), expected, rtol=1e-7, atol=1e-7)
    both, weighted = join_weights(target, rng.uniform(0, 2, 4)), Weighted(loss)
    expected = differences(lambda: weighted.value(y, both), y)
    np.testing.assert_allclose(weighted.gradient(y, both), expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_networks_minimize_the_smoothed_loss(kind: str):
    """Gradients of networks are those of their loss in training, fused with the end or not."""
    last, loss = KINDS[kind]
    network = Network([dense(4, "tanh"), dense(3, last)], loss(S), (5,))
    assert ((last, loss.type) in FUSED) == (network.head is not None)
    network.initialize(rng=np.random.default_rng(1))
    x = np.random.default_rng(2).standard_normal((ROWS, 5))
    target = targets(loss is BinaryCrossEntropy)
    for check in check_gradients(network, x, target, rng=np.random.default_rng(4)):
        assert check.passed, check
    plain = Network([dense(4, "tanh"), dense(3, last)], loss(), (5,))
    plain.initialize(rng=np.random.default_rng(1))
    rng = np.random.default_rng(0)
    assert plain.evaluate(x, target)[0] == network.evaluate(x, target)[0]
    assert plain.training_loss(x, target, rng) != network.training_loss(x, target, rng)


def trained(
    engine: str, kind: str, batch_size: int, dtype: str, *, weighted: bool, losses: bool
) -> dict[str, Any]:
    """What an engine makes of a network: parameters, losses of batches, an evaluation."""
    last, loss = KINDS[kind]
    network = Network([dense(9, "tanh"), dense(3, last)], loss(S), (5,), dtype, weighted=weighted)
    network.initialize(rng=np.random.default_rng(1))
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40, 5)).astype(dtype)
    target = targets(loss is BinaryCrossEntropy, 40).astype(dtype)
    if weighted:
        target = join_weights(target, rng.uniform(0, 2, 40))
    optimizer = SGD()
    optimizer.allocate(network.theta)
    more = {} if engine == "numpy" else {"batch_size": batch_size, "losses": losses}
    made = ENGINES[engine](network, optimizer, x, target, rng=rng, **more)
    bounds, batch_losses = np.arange(41) * batch_size, np.zeros(40)
    rows = np.random.default_rng(3).integers(40, size=bounds[-1])
    made.run(Batches(rows, bounds, np.full(40, 0.1)), batch_losses if losses else None)
    value, outputs = made.evaluate(x, target)
    assert value == pytest.approx(network.evaluate(x, target)[0], rel=1e-5)
    return {"theta": network.theta, "losses": batch_losses, "loss": value, "outputs": outputs}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["generated", "tape"])
@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("losses", [False, True], ids=["", "losses"])
def test_engines_agree(engine: str, kind: str, batch_size: int, losses: bool):
    """Weights, losses of batches and evaluations, of weighted rows and in float32 too."""
    for dtype, weighted in (("float64", False), ("float64", True), ("float32", False)):
        given = {"weighted": weighted, "losses": losses}
        expected = trained("numpy", kind, batch_size, dtype, **given)
        actual = trained(engine, kind, batch_size, dtype, **given)
        tolerance = 1e-9 if dtype == "float64" else 1e-4
        for name, array in expected.items():
            np.testing.assert_allclose(actual[name], array, tolerance, tolerance, err_msg=name)
        assert expected["losses"].any() == losses


def test_equations_say_which_targets_are_meant():
    """Where an update is explained, its gradient is that of the equation."""
    words = "Here t is t · (1 - 0.1) + 0.1 / classes (label smoothing)."
    assert words in loss_equation(SoftmaxCrossEntropy(S))
    assert words.replace("classes", "2") in loss_equation(Weighted(BinaryCrossEntropy(S)))
    assert "smoothing" not in loss_equation(SoftmaxCrossEntropy())


def test_without_smoothing_nothing_is_computed_for_it():
    """Targets are taken as they are, the same array."""
    target = targets(False)
    assert CrossEntropy().smoothed(target) is target
    assert CrossEntropy().reported.value(target, target) == CrossEntropy().value(target, target)
