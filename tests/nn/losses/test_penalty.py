"""What large weights cost, and the gradient of that."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.nn import (
    BatchNorm,
    CrossEntropy,
    Flatten,
    L2Penalty,
    Network,
    check_gradients,
    conv2d,
    dense,
)


def network(penalty: L2Penalty | None) -> Network:
    blocks = [
        conv2d(3, 2, bias="per_position", activation="tanh"), BatchNorm(), Flatten(),
        dense(4, "softmax"),
    ]  # fmt: skip
    made = Network(blocks, CrossEntropy(), (1, 3, 3), penalty=penalty)
    made.initialize(rng=np.random.default_rng(0))
    return made


def batch(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((rows, 1, 3, 3)), np.eye(4)[rng.integers(4, size=rows)]


@pytest.mark.parametrize("rows", [2, 5])
def test_it_costs_half_alpha_for_the_squares_of_weights(rows):
    """Over the rows of the batch; nothing for biases of either kind and for batch_norm's scales."""
    plain, costly = network(None), network(L2Penalty(0.7))
    loss, dear = (
        each.loss_and_gradient(*batch(rows), np.random.default_rng(0)) for each in (plain, costly)
    )
    weights = [plain.parameters[name].value for name in ("0.weight", "3.weight")]
    assert 0.35 * sum((w**2).sum() for w in weights) / rows == pytest.approx(dear - loss)
    for name, parameter in costly.parameters.items():
        share = 0.7 / rows if name in ("0.weight", "3.weight") else 0.0
        expected = plain.parameters[name].grad + share * parameter.value
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-12)
    assert plain.evaluate(*batch(rows))[0] == costly.evaluate(*batch(rows))[0]


def test_its_gradient_is_that_of_its_value():
    """By differences, along every parameter."""
    checks = check_gradients(network(L2Penalty(3.0)), *batch(5), rng=np.random.default_rng(2))
    assert 6 == len(checks)
    assert all(check.passed for check in checks)
