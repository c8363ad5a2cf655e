"""Losses of rows with weights: by hand, against repeated rows, and against PyTorch."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest
import torch

from nnrun.nn import ACTIVATIONS, LOSSES, Network, Weighted, dense
from nnrun.nn.losses import FUSED, CrossEntropy, Loss, MeanSquared
from nnrun.nn.losses.weighted import join_weights
from nnrun.nn.signature import Array
from tests.nn.losses.test_losses import targets
from tests.nn.numerical import differences
from tests.nn.torch_twin import ACTIVATIONS as TORCH_ACTIVATIONS
from tests.nn.torch_twin import LOSSES as TORCH_LOSSES

ROWS, OUTPUTS = 9, 3
WEIGHTS = np.array([2.0, 0, 1, 1, 3, 0.5, 1, 2, 1])


def given(loss: str, rng: np.random.Generator) -> tuple[Array, Array]:
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
    loss, (y, t) = LOSSES[name](), given(name, np.random.default_rng(0))
    alone = [loss.value(y[i : i + 1], t[i : i + 1]) for i in range(ROWS)]

    np.testing.assert_allclose(loss.rows(y, t), alone, rtol=1e-14)
    np.testing.assert_allclose(Loss.rows(loss, y, t), alone, rtol=1e-15)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_weighted_loss_agrees_with_its_own_gradient(name: str):
    """The gradient is that of the very number reported."""
    loss, (y, t) = Weighted(LOSSES[name]()), given(name, np.random.default_rng(1))
    t = join_weights(t, WEIGHTS)

    expected = differences(lambda: loss.value(y, t), y, h=1e-5)

    np.testing.assert_allclose(loss.gradient(y, t), expected, rtol=1e-6, atol=1e-9)


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


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_gradients_are_those_of_pytorch(name: str):
    """With weights whose mean is 1, loss and gradient are PyTorch's Σ w l / Σ w to 1e-10."""
    rng = np.random.default_rng(4)
    x, (_, t) = rng.standard_normal((ROWS, 4)), given(name, rng)
    own, w = network(name, weighted=True), torch.tensor(WEIGHTS)

    loss = own.loss_and_gradient(x, join_weights(t, WEIGHTS / WEIGHTS.mean()), rng)
    expected, gradient = torch_gradient(
        own, x, lambda z: (w * torch_rows(name, z, torch.tensor(t))).sum() / w.sum()
    )

    assert expected == pytest.approx(loss, rel=1e-10)
    np.testing.assert_allclose(own.gradient, gradient, rtol=1e-10, atol=1e-14)


def test_class_weights_are_those_of_pytorchs_cross_entropy():
    """Rows with the weight of their class give the gradient of CrossEntropyLoss(weight=…)."""
    rng = np.random.default_rng(5)
    x, (_, t) = rng.standard_normal((ROWS, 4)), given("cross_entropy", rng)
    by_class = np.array([1.0, 20.0, 0.3])
    w, own = by_class[t.argmax(axis=1)], network("cross_entropy", weighted=True)

    loss = own.loss_and_gradient(x, join_weights(t, w / w.mean()), rng)
    criterion = torch.nn.CrossEntropyLoss(weight=torch.tensor(by_class))
    expected, gradient = torch_gradient(
        own, x, lambda z: criterion(z, torch.tensor(t.argmax(axis=1)))
    )

    assert expected == pytest.approx(loss, rel=1e-10)
    np.testing.assert_allclose(own.gradient, gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("activation", "name"), sorted(FUSED))
def test_fused_losses_have_weights_too(activation: str, name: str):
    """From logits, the weighted loss is that of activation and loss in two steps."""
    rng = np.random.default_rng(6)
    z, t = rng.standard_normal((ROWS, OUTPUTS)), targets(name, (ROWS, OUTPUTS), rng)
    t, fused = join_weights(t, WEIGHTS), Weighted(FUSED[activation, name]())
    first, second = ACTIVATIONS[activation](), Weighted(LOSSES[name]())

    y = first.forward(z)

    assert second.value(y, t) == pytest.approx(fused.value(z, t), rel=1e-14)
    expected = first.backward(second.gradient(y, t))
    np.testing.assert_allclose(fused.gradient(z, t), expected, rtol=1e-12, atol=1e-16)
