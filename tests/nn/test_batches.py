"""The outputs of a batch are those of its rows one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.nn import Network
from nnrun.nn.signature import Array
from tests.architectures.dealing import choosing
from tests.architectures.plan import Architecture
from tests.architectures.walks import draw

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
@given(plan=architectures(), seed=st.integers(0, 99))
def test_a_reordered_batch_has_the_same_gradient(plan: Architecture, seed: int):
    """The order of the rows in a batch does not matter."""
    network = plan.build(seed)
    x, target = plan.rows(7, seed)
    order = np.random.default_rng(seed).permutation(7)

    assert_close(gradient(network, x, target), gradient(network, x[order], target[order]))


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
