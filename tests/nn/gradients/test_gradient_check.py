"""The gradient check itself: what it counts, what it leaves as it was, what it does not miss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nnrun.nn import BatchNorm, MeanSquared, Network, check_gradients, dense
from nnrun.nn.gradient_check import GradientCheck
from nnrun.nn.signature import Array

X = np.random.default_rng(0).standard_normal((4, 3))
TARGET = np.random.default_rng(1).standard_normal((4, 2))


def build(*blocks: object, loss: object = None) -> Network:
    """An initialized network of three inputs."""
    network = Network(list(blocks), loss or MeanSquared(), (3,))
    network.initialize(rng=np.random.default_rng(2))
    return network


def check(network: Network, **options: int) -> dict[str, GradientCheck]:
    """The checks of a network by the parameter's name."""
    found = check_gradients(network, X, TARGET, rng=np.random.default_rng(3), **options)
    return {result.name: result for result in found}


def corrupt(network: Network, change: Callable[[Array], None], monkeypatch) -> None:
    """Let backpropagation end in a change of the gradient."""
    right = network.backpropagate

    def wrong(x: Array, target: Array, rng: np.random.Generator) -> None:
        right(x, target, rng)
        change(network.gradient)

    monkeypatch.setattr(network, "backpropagate", wrong)


def test_every_entry_of_every_parameter_is_compared():
    """A smooth network has nothing to skip, and both numbers of the worst entry are shown."""
    network = build(dense(4, "tanh"), dense(2))

    checks = check(network)

    assert {"0.weight": 12, "0.bias": 4, "1.weight": 8, "1.bias": 2} == {
        name: result.entries for name, result in checks.items()
    }
    for result in checks.values():
        assert (result.entries, 0) == (result.compared, result.skipped)
        assert 0 != result.backpropagated == pytest.approx(result.numerical, rel=1e-7)
        assert result.passed


def test_the_network_is_as_it_was_afterwards():
    """Weights and buffers are restored bit for bit."""
    network = build(dense(4, "relu"), BatchNorm(), dense(2))
    network.training_loss(X, TARGET, np.random.default_rng(0))
    theta = network.theta.copy()
    buffers = {name: array.copy() for name, array in network.buffers.items()}

    check(network)

    np.testing.assert_array_equal(theta, network.theta)
    for name, array in buffers.items():
        np.testing.assert_array_equal(array, network.buffers[name])


@pytest.mark.parametrize("error", [2e-7, -1e-3, 0.5])
def test_a_relative_error_beyond_the_tolerance_fails(error: float, monkeypatch):
    """One entry off by 2e-7 of itself is found, in its parameter and in no other."""
    network = build(dense(4, "tanh"), dense(2))
    network.backpropagate(X, TARGET, np.random.default_rng(0))
    largest = int(np.abs(network.gradient[:12]).argmax())

    def change(gradient: Array) -> None:
        gradient[largest] *= 1 + error

    corrupt(network, change, monkeypatch)
    checks = check(network)

    assert ["0.weight"] == [name for name, result in checks.items() if not result.passed]
    assert abs(error) == pytest.approx(checks["0.weight"].error, rel=0.5)


def test_gradients_far_smaller_than_the_loss_are_compared_closely(monkeypatch):
    """A gradient of a thousandth of the loss is wrong when it is off by a millionth of itself."""
    network = build(dense(2))
    network.backpropagate(X, TARGET + 300, np.random.default_rng(0))
    gradient = np.abs(network.gradient).max()
    assert 0.002 < gradient / network.evaluate(X, TARGET + 300)[0] < 0.01

    corrupt(network, lambda gradient: np.multiply(gradient, 1 + 1e-6, out=gradient), monkeypatch)
    checks = check_gradients(network, X, TARGET + 300, rng=np.random.default_rng(3))

    assert [False, False] == [result.passed for result in checks]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("entry", [0, 5, 11])
def test_a_gradient_that_is_no_number_fails(entry: int, value: float, monkeypatch):
    """One NaN among right entries is not lost, wherever it stands."""
    network = build(dense(4, "tanh"), dense(2))

    def change(gradient: Array) -> None:
        gradient[entry] = value

    corrupt(network, change, monkeypatch)

    assert ["0.weight"] == [name for name, result in check(network).items() if not result.passed]


def test_a_wrong_entry_that_was_not_picked_shows_along_the_directions(monkeypatch):
    """With more entries than are compared one by one, every entry still has a part."""
    network = build(dense(300, "tanh"), dense(2))
    assert 8 == check(network, most=4, directions=4)["0.weight"].compared

    def change(gradient: Array) -> None:
        gradient[777] += 1

    corrupt(network, change, monkeypatch)
    checks = check(network, most=4, directions=4)

    assert not checks["0.weight"].passed
    assert checks["1.bias"].passed


def test_a_kink_within_reach_is_skipped_and_not_called_an_error():
    """Where differences of all sizes straddle a kink they say nothing, and are not counted."""

    class NearAKink(MeanSquared):
        """Has a kink a ten-millionth away from the first output that it sees."""

        kink: float | None = None

        def value(self, y: Array, target: Array) -> float:
            first = float(y[0, 0])
            if self.kink is None:
                self.kink = first + 1e-7
            return super().value(y, target) + 100 * max(first - self.kink, 0)

    network = build(dense(2, bias=False), loss=NearAKink())
    result = check(network)["0.weight"]

    # Of the six weights, three move the first output.
    assert (3, 3) == (result.compared, result.skipped)
    assert result.passed


def test_nothing_compared_is_not_passed():
    """A parameter with more entries skipped than compared does not count as checked."""
    assert not GradientCheck("w", 4, 1, 3, 0.0, 0.0, 0.0).passed
    assert not GradientCheck("w", 4, 4, 0, 2e-7, 1.0, 1.0).passed
    assert GradientCheck("w", 4, 2, 2, 1e-7, 1.0, 1.0).passed
