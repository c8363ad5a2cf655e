"""Losses by hand, at certainty, fused, with weights of rows, and with a cost of large weights."""

from __future__ import annotations

from math import inf, log
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss, mean_poisson_deviance
from torch.nn import functional

from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.explain.trace import loss_equation
from nnrun.nn import (
    SGD,
    BatchNorm,
    Flatten,
    L2Penalty,
    Network,
    Weighted,
    check_gradients,
    conv2d,
    dense,
)
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
from nnrun.nn.losses.weighted import join_weights
from nnrun.nn.signature import Array
from tests.nn.test_gradients import differences
from tests.nn.torch_twin import ACTIVATIONS as TORCH_ACTIVATIONS
from tests.nn.torch_twin import LOSSES as TORCH_LOSSES

Y = np.array([[1.0, 2.0], [3.0, 4.0]])
ROWS, OUTPUTS = 9, 3
WEIGHTS = np.array([2.0, 0, 1, 1, 3, 0.5, 1, 2, 1])
S = 0.1  # of smoothed labels
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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("activation", "name"), sorted(FUSED))
def test_fused_losses_equal_their_two_steps(activation: str, name: str, weighted: bool):
    """From moderate logits, activation then loss gives the same value and the same gradient."""
    rng = np.random.default_rng(0)
    z, t = rng.standard_normal((ROWS, OUTPUTS)), targets(name, (ROWS, OUTPUTS), rng)
    first, second, fused = ACTIVATIONS[activation](), LOSSES[name](), FUSED[activation, name]()
    if weighted:
        t, second, fused = join_weights(t, WEIGHTS), Weighted(second), Weighted(fused)
    y = first.forward(z)
    expected = first.backward(second.gradient(y, t))
    assert second.value(y, t) == pytest.approx(fused.value(z, t), rel=1e-14)
    np.testing.assert_allclose(fused.gradient(z, t), expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("kind", ["plain", "weighted", "smoothed", "smoothed and weighted"])
@pytest.mark.parametrize("name", [*sorted(LOSSES), *sorted(FUSED)], ids=str)
def test_every_loss_agrees_with_its_own_gradient(name: str | tuple[str, str], kind: str, rows: int):
    """The gradient is that of the very number reported, whatever the rows and outputs; of logits
    where a loss is fused with its activation; and of smoothed labels where it takes them.
    """
    rng = np.random.default_rng(rows)
    plain = isinstance(name, str)
    y = rng.uniform(0.1, 0.9, (rows, 3)) if plain else 3 * rng.standard_normal((rows, 3))
    t = targets(name if plain else name[1], (rows, 3), rng)
    made = LOSSES[name] if plain else FUSED[name]
    loss = made(S) if "smoothed" in kind and "cross_entropy" in made.type else made()
    if "weighted" in kind:
        loss, t = Weighted(loss), join_weights(t, WEIGHTS[:rows])
    expected = differences(lambda: loss.value(y, t), y, h=1e-4 if plain else 1e-3)
    np.testing.assert_allclose(loss.gradient(y, t), expected, rtol=1e-7, atol=1e-10)


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


# Losses of rows with weights: by hand, against repeated rows, and against PyTorch.


def predictions(loss: str, rng: np.random.Generator) -> tuple[Array, Array]:
    """Predictions of a network, and targets that suit a loss."""
    logits = rng.standard_normal((ROWS, OUTPUTS))
    needs = LOSSES[loss].needs
    y = logits if needs is None else ACTIVATIONS[needs]().forward(logits)
    return y, targets(loss, y.shape, rng)


def test_a_weighted_mean_by_hand():
    """Errors of 1 and 3 with weights of 1.5 and 0.5: (1.5 · 1 + 0.5 · 9) / 2, and its slopes."""
    y, t = np.array([[1.0], [3.0]]), join_weights(np.zeros((2, 1)), np.array([1.5, 0.5]))
    loss = Weighted(MeanSquared())
    assert 3.0 == loss.value(y, t)
    assert [[1.5], [1.5]] == loss.gradient(y, t).tolist()


def test_a_row_without_weight_adds_nothing_even_if_its_loss_is_infinite():
    """Being certain and wrong costs infinity, but not in a row that does not count."""
    p, t = np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    loss = Weighted(CrossEntropy())
    counted = join_weights(t, np.array([0.0, 2.0]))
    assert log(2) == pytest.approx(loss.value(p, counted), rel=1e-15)
    assert [[0, 0], [-2, 0]] == loss.gradient(p, counted).tolist()
    assert inf == loss.value(p, join_weights(t, np.array([1.0, 1.0])))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_rows_are_the_losses_of_rows_alone(name: str):
    """Each loss computes all rows together as one after the other."""
    loss, (y, t) = LOSSES[name](), predictions(name, np.random.default_rng(0))
    alone = [loss.value(y[i : i + 1], t[i : i + 1]) for i in range(ROWS)]
    np.testing.assert_allclose(loss.rows(y, t), alone, rtol=1e-14)
    np.testing.assert_allclose(Loss.rows(loss, y, t), alone, rtol=1e-15)


def network(loss: str, *, weighted: bool) -> Network:
    """Two layers, the same at every call."""
    last = LOSSES[loss].needs or "linear"
    found = Network([dense(5, "tanh"), dense(OUTPUTS, last)], LOSSES[loss](), (4,),
                    weighted=weighted)  # fmt: skip
    found.initialize(rng=np.random.default_rng(3))
    return found


def torch_rows(name: str, z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """The loss of each row by PyTorch, from the logits where the loss has an activation."""
    loss = LOSSES[name]
    fused = FUSED.get((loss.needs, name))
    z = z if fused or loss.needs is None else TORCH_ACTIVATIONS[loss.needs](z)
    whole = TORCH_LOSSES[fused.type if fused else name]
    return torch.stack([whole(z[i : i + 1], t[i : i + 1]) for i in range(len(z))])


def torch_gradient(own: Network, x: Array, row_losses: object) -> tuple[float, Array]:
    """The loss and its gradient by PyTorch; `row_losses` makes the loss of logits."""
    weights = [torch.tensor(p.value, requires_grad=True) for p in own.parameters.values()]
    h = torch.tanh(torch.tensor(x) @ weights[0] + weights[1])
    loss = row_losses(h @ weights[2] + weights[3])  # type: ignore[operator]
    loss.backward()
    return loss.item(), np.concatenate([w.grad.numpy().ravel() for w in weights])


@pytest.mark.parametrize("name", [*sorted(LOSSES), "by class"])
def test_gradients_are_those_of_pytorch(name: str):
    """With weights whose mean is 1, loss and gradient are PyTorch's Σ w l / Σ w to 1e-10; rows with
    the weight of their class give those of CrossEntropyLoss(weight=…).
    """
    rng, by_class = np.random.default_rng(4), np.array([1.0, 20.0, 0.3])
    loss = "cross_entropy" if name == "by class" else name
    x, (_, t) = rng.standard_normal((ROWS, 4)), predictions(loss, rng)
    weights = by_class[t.argmax(axis=1)] if name == "by class" else WEIGHTS
    own, w = network(loss, weighted=True), torch.tensor(weights)
    found = own.loss_and_gradient(x, join_weights(t, weights / weights.mean()), rng)
    criterion = torch.nn.CrossEntropyLoss(weight=torch.tensor(by_class))

    def rows(z: torch.Tensor) -> torch.Tensor:
        if name == "by class":
            return criterion(z, torch.tensor(t.argmax(axis=1)))
        return (w * torch_rows(name, z, torch.tensor(t))).sum() / w.sum()

    expected, gradient = torch_gradient(own, x, rows)
    assert expected == pytest.approx(found, rel=1e-10)
    np.testing.assert_allclose(own.gradient, gradient, rtol=1e-10, atol=1e-14)


# What large weights cost, and the gradient of that.


def penalized(penalty: L2Penalty | None) -> Network:
    blocks = [
        conv2d(3, 2, bias="per_position", activation="tanh"), BatchNorm(), Flatten(),
        dense(4, "softmax"),
    ]  # fmt: skip
    made = Network(blocks, CrossEntropy(), (1, 3, 3), penalty=penalty)
    made.initialize(rng=np.random.default_rng(0))
    return made


def images(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((rows, 1, 3, 3)), np.eye(4)[rng.integers(4, size=rows)]


@pytest.mark.parametrize("rows", [2, 5])
def test_it_costs_half_alpha_for_the_squares_of_weights(rows):
    """Over the rows of the batch; nothing for biases of either kind and for batch_norm's scales."""
    plain, costly = penalized(None), penalized(L2Penalty(0.7))
    loss, dear = (
        each.loss_and_gradient(*images(rows), np.random.default_rng(0)) for each in (plain, costly)
    )
    weights = [plain.parameters[name].value for name in ("0.weight", "3.weight")]
    assert 0.35 * sum((w**2).sum() for w in weights) / rows == pytest.approx(dear - loss)
    for name, parameter in costly.parameters.items():
        share = 0.7 / rows if name in ("0.weight", "3.weight") else 0.0
        expected = plain.parameters[name].grad + share * parameter.value
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-12)
    assert plain.evaluate(*images(rows))[0] == costly.evaluate(*images(rows))[0]


def test_its_gradient_is_that_of_its_value():
    """By differences, along every parameter."""
    checks = check_gradients(penalized(L2Penalty(3.0)), *images(5), rng=np.random.default_rng(2))
    assert 6 == len(checks)
    assert all(check.passed for check in checks)


# Label smoothing: what training minimizes, while evaluations report the loss without it.

ENGINES = {"numpy": NumpyEngine, "generated": CompiledEngine, "tape": TapeEngine}
# The last activation, and the loss: targets are one of three classes, or three yes or no.
KINDS: dict[str, tuple[str, type[Loss]]] = {
    "softmax": ("softmax", CrossEntropy),
    "sigmoid": ("sigmoid", BinaryCrossEntropy),
    "softmax_alone": ("sigmoid", CrossEntropy),
    "sigmoid_alone": ("softmax", BinaryCrossEntropy),
}


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
    rng = np.random.default_rng(0)
    z = rng.normal(scale=3, size=(ROWS, 3))
    target = targets("binary_cross_entropy" if binary else "cross_entropy", (ROWS, 3), rng)
    loss = (SigmoidBinaryCrossEntropy if binary else SoftmaxCrossEntropy)(S)
    expected, gradient = by_pytorch(z, target, binary)
    assert expected == pytest.approx(loss.value(z, target), rel=1e-10)
    np.testing.assert_allclose(loss.gradient(z, target), gradient, rtol=1e-10, atol=1e-10)
    logits = torch.tensor(z)
    p = (torch.sigmoid(logits) if binary else torch.softmax(logits, dim=1)).numpy()
    alone = (BinaryCrossEntropy if binary else CrossEntropy)(S)
    assert expected == pytest.approx(alone.value(p, target), rel=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_networks_minimize_the_smoothed_loss(kind: str):
    """Gradients of networks are those of their loss in training, fused with the end or not."""
    last, loss = KINDS[kind]
    network = Network([dense(4, "tanh"), dense(3, last)], loss(S), (5,))
    assert ((last, loss.type) in FUSED) == (network.head is not None)
    network.initialize(rng=np.random.default_rng(1))
    x = np.random.default_rng(2).standard_normal((ROWS, 5))
    target = targets(loss.type, (ROWS, 3), np.random.default_rng(3))
    for check in check_gradients(network, x, target, rng=np.random.default_rng(4)):
        assert check.passed, check
    plain = Network([dense(4, "tanh"), dense(3, last)], loss(), (5,))
    plain.initialize(rng=np.random.default_rng(1))
    rng = np.random.default_rng(0)
    assert plain.evaluate(x, target)[0] == network.evaluate(x, target)[0]
    assert plain.training_loss(x, target, rng) != network.training_loss(x, target, rng)


def smoothed_training(
    engine: str, kind: str, batch_size: int, dtype: str, *, weighted: bool, losses: bool
) -> dict[str, Any]:
    """What an engine makes of a network: parameters, losses of batches, an evaluation."""
    last, loss = KINDS[kind]
    network = Network([dense(9, "tanh"), dense(3, last)], loss(S), (5,), dtype, weighted=weighted)
    network.initialize(rng=np.random.default_rng(1))
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40, 5)).astype(dtype)
    target = targets(loss.type, (40, 3), rng).astype(dtype)
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
@pytest.mark.parametrize(("batch_size", "losses"), [(1, False), (7, True)])
def test_engines_agree(engine: str, kind: str, batch_size: int, losses: bool):
    """Weights, losses of batches and evaluations, of weighted rows and in float32 too."""
    for dtype, weighted in (("float64", False), ("float64", True), ("float32", False)):
        given = {"weighted": weighted, "losses": losses}
        expected = smoothed_training("numpy", kind, batch_size, dtype, **given)
        actual = smoothed_training(engine, kind, batch_size, dtype, **given)
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
    target = targets("cross_entropy", (ROWS, 3), np.random.default_rng(3))
    assert CrossEntropy().smoothed(target) is target
    assert CrossEntropy().reported.value(target, target) == CrossEntropy().value(target, target)
