"""Gradients of all layers, activations and losses against differences, and the check itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any, get_type_hints

import numpy as np
import pytest

from nnrun.nn import (
    ACTIVATIONS,
    LAYERS,
    LOSSES,
    AvgPool2d,
    BatchNorm,
    Bias,
    Convolution,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Initializer,
    MatMul,
    MaxPool2d,
    MeanSquared,
    Network,
    Residual,
    Sequential,
    activation,
    check_gradients,
    conv2d,
    dense,
)
from nnrun.nn.gradient_check import TOLERANCE, GradientCheck
from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.network import LayerError
from nnrun.nn.sequential import Layers
from nnrun.nn.signature import Array, Shape
from tests.nn.bugs import BUGS, NETWORKS, Bug

VECTOR, IMAGE, SERIES = (3,), (1, 4, 4), (1, 1, 4)
LAST = {name: loss.needs for name, loss in LOSSES.items() if loss.needs}
ROWS, OUTPUTS = 3, 2


def combinations() -> list[tuple[str, str, str]]:
    """(layer, activation, loss): each pair of a layer with an activation or a loss, and of these.

    Softmax stands only last, and last is what the loss asks for.
    """
    found = []
    for (row, layer), (column, slope) in product(enumerate(LAYERS), enumerate(ACTIVATIONS)):
        suit = [name for name in LOSSES if LAST.get(name, slope) == "softmax"]
        losses = suit if slope == "softmax" else [*LOSSES]
        found.append((layer, slope, losses[(row + column) % len(losses)]))
    return found


def blocks(layer: str, slope: str, loss: str, shape: Shape) -> list[Any]:
    """The layer between a bias, which needs its dx, and the output, with the activation in it."""
    hidden = "tanh" if slope == "softmax" else slope
    given: dict[str, Any] = {"units": 3, "channels": 2, "name": hidden, "activation": hidden}
    entry = LAYERS[layer]
    hints = get_type_hints(entry.__init__ if inspect.isclass(entry) else entry)
    given |= {n: [Bias(), activation(hidden)] for n, kind in hints.items() if kind == Layers}
    signature = inspect.signature(entry).parameters
    required = [name for name, p in signature.items() if p.default is inspect.Parameter.empty]
    unknown = [name for name in required if name not in given]
    assert not unknown, f"{layer} needs {unknown}: say in `given` of this file what to try"
    arguments = {name: given[name] for name in {*required, "activation"} & set(signature)}
    # The tanh gives every row a weight of its own: batch_norm takes out what all rows share.
    first = [Bias(), activation("tanh")]
    stack = [first, entry(**arguments), activation(hidden)]
    if "activation" in signature:
        stack.pop()
    if len(shape) == 3 and not getattr(entry, "makes_vectors", False):
        stack.append(Flatten())
    # Small weights, since all outputs at the flat ends of hard_tanh would have no gradient.
    weights = Initializer("uniform", scale=0.3)
    return [*stack, dense(OUTPUTS, LAST.get(loss, slope), initializer=weights)]


def networks(layer: str, activation: str, loss: str) -> list[Network]:
    """One network for every kind of input that the layer takes."""
    found = []
    for shape in (SERIES,) if layer.endswith("1d") else (VECTOR, IMAGE):
        try:
            network = Network(blocks(layer, activation, loss, shape), LOSSES[loss](), shape)
        except LayerError:
            continue
        network.initialize(rng=np.random.default_rng(1))
        found.append(network)
    return found


def targets(loss: str) -> Array:
    """Targets that suit the loss: one-hot rows, zeros and ones, or any numbers."""
    if loss == "cross_entropy":
        return np.eye(OUTPUTS)[[0, 1, 1]]
    if loss == "binary_cross_entropy":
        return np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    if loss == "poisson":
        return np.array([[0.0, 1.0], [3.0, 0.0], [1.0, 2.0]])
    # One output too large and one too small, or softmax would have nothing to gain from either.
    return np.array([[-0.3, 1.7], [1.9, 0.2], [-1.5, 0.8]])


@pytest.mark.parametrize(("layer", "activation", "loss"), combinations())
def test_every_pair_has_exact_gradients(layer: str, activation: str, loss: str):
    """Backpropagation agrees with differences for every parameter, to 1e-7."""
    found = networks(layer, activation, loss)
    assert found, f"no input that {layer} takes"
    for network in found:
        x = np.random.default_rng(3).standard_normal((ROWS, *network.input_shape))
        checks = check_gradients(network, x, targets(loss), rng=np.random.default_rng(4))
        assert list(network.parameters) == [check.name for check in checks]
        assert [] == [check for check in checks if not check.passed]
        assert [] == [check for check in checks if check.error > 1e-7]
        assert np.any(network.parameters["0.bias"].grad), "no gradient reaches the first layer"


def test_the_combinations_have_every_pair():
    """A layer meets every activation and every loss, and a loss every activation it may follow."""
    found = combinations()
    assert {*product(LAYERS, ACTIVATIONS)} == {(layer, name) for layer, name, _ in found}
    assert {*product(LAYERS, LOSSES)} == {(layer, loss) for layer, _, loss in found}
    allowed = {
        (name, loss)
        for name, loss in product(ACTIVATIONS, LOSSES)
        if name != "softmax" or LAST.get(loss, name) == name
    }
    assert allowed == {(name, loss) for _, name, loss in found}


def test_the_tolerance_is_what_is_promised():
    """A check passes at a relative error of 1e-7 at most."""
    assert 1e-7 == TOLERANCE


# dL/dx and parameter gradients of single layers, in the settings that easily go wrong.

NORMAL = Initializer("glorot_normal", scale=2.0)


Case = tuple[Layer, tuple[int, ...], int, bool]  # a layer, the shape of rows, how many, training


def residual(depth: int) -> Layer:
    """Residuals within each other."""
    layer = Residual([dense(4, "tanh"), BatchNorm(0.0), dense(3, "sigmoid")])
    for _ in range(depth - 1):
        layer = Residual([dense(3, "tanh"), layer, Dropout(0.3)])
    return layer


def cases() -> Iterator[tuple[str, Case]]:
    """Kernels that are odd, even and flat, strides with leftovers, any padding; windows that
    overlap, leave gaps or leave pixels over; both modes; vectors and images; layers within layers.
    """
    kernels, strides = (1, 2, 3, (1, 3), (4, 1), (2, 3)), (1, 2, 3, (1, 2), (3, 1))
    for kernel, stride, padding in product(kernels, strides, ("valid", "same", 0, 1, 2, (0, 1))):
        layer = Convolution(2, kernel, stride, padding, NORMAL)
        yield f"convolution {kernel} {stride} {padding}", (layer, (2, 4, 5), 1, True)
    for inputs, channels in ((1, 1), (1, 3), (3, 1), (3, 2), (2, 2)):
        layer = Convolution(channels, 2, 1, 1, NORMAL)
        yield f"convolution {inputs} to {channels}", (layer, (inputs, 3, 2), 3, True)
    sizes = (1, 2, 3, (1, 2), (3, 1))
    for pool, size, stride in product((MaxPool2d, AvgPool2d), sizes, (None, 1, 2, 3, (1, 3))):
        yield f"{pool.type} {size} {stride}", (pool(size, stride), (2, 5, 4), 2, True)
    yield "global average", (GlobalAvgPool(), (2, 5, 4), 2, True)
    for shape, training in product(((4,), (3, 2, 3)), (True, False)):
        yield f"batch_norm {shape} {training}", (BatchNorm(momentum=0.0), shape, 4, training)
    for rows in (2, 3, 7):  # each of which moves the mean a lot
        yield f"batch_norm of {rows}", (BatchNorm(epsilon=1e-2), (2,), rows, True)
    for shape, rate in product(((6,), (2, 3, 2)), (0.0, 0.2, 0.5, 0.9)):
        yield f"dropout {shape} {rate}", (Dropout(rate), shape, 3, True)
    for shape, per in product(((3,), (2, 2, 3)), ("position", "channel")):
        yield f"bias {shape} {per}", (Bias(per), shape, 3, True)
    for units in (1, 3, 4):
        yield f"matmul {units}", (MatMul(units, NORMAL), (3,), 4, True)
    yield "flatten", (Flatten(), (2, 3, 2), 2, True)
    for depth, training in product((1, 2, 3), (True, False)):
        yield f"residual {depth} {training}", (residual(depth), (3,), 4, training)
    for name, layers in {
        "convolutions": [conv2d(3, 3, padding="same", activation="tanh"), conv2d(2, 1)],
        "no parameters": [activation("tanh"), activation("linear")],
        "nothing but a bias": [Bias("channel")],
    }.items():
        yield f"residual of {name}", (Residual(layers), (2, 3, 4), 2, True)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in cases()])
def test_layers_alone(case: Case):
    """dL/dx and the gradients of parameters, which are drawn away from zero and one, are exact."""
    layer, shape, rows, training = case
    layer.connect(shape)
    for _, part in Sequential([layer]).named_layers():
        part.initialize(rng=np.random.default_rng(0))
    for parameter in parameters_of(layer).values():
        parameter.value += 0.3 * np.random.default_rng(5).standard_normal(parameter.shape)
    found = worst_errors(layer, spaced((rows, *shape)), training=training)
    assert {} == {name: error for name, error in found.items() if not error <= TOLERANCE}


def test_backward_adds_nothing_up_between_calls():
    """Gradients are those of the last batch alone, however often backward has run."""
    layer = Convolution(2, 2)
    layer.connect((1, 3, 3))
    layer.initialize(rng=np.random.default_rng(0))
    x = spaced((2, 1, 3, 3))

    def gradients() -> tuple[list, list]:
        y = layer.forward(x)
        return layer.backward(y).tolist(), layer.parameters[0].grad.tolist()

    assert gradients() == gradients()


# The gradient check itself: what it counts, what it leaves as it was, what it does not miss.

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


# The gradient check finds the bugs that it is for.

all_bugs = pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
all_networks = pytest.mark.parametrize("bug", NETWORKS, ids=[bug.name for bug in NETWORKS])


def wrong_parameters(bug: Bug) -> list[str]:
    """The parameters whose gradients the check finds wrong, in the bug's network."""
    network, x, target = bug.network()
    checks = check_gradients(network, x, target, rng=np.random.default_rng(3))
    return [check.name for check in checks if not check.passed]


@all_bugs
def test_a_planted_bug_is_caught(bug: Bug, monkeypatch: pytest.MonkeyPatch):
    """With the bug some parameter's check fails, or an array does not even fit its place."""
    bug.plant(monkeypatch)
    try:
        wrong = wrong_parameters(bug)
    except ValueError:
        wrong = ["shapes"]
    assert wrong


@all_networks
def test_without_the_bug_the_same_network_passes(bug: Bug):
    """It is the bug that the check complains of, and nothing else."""
    assert [] == wrong_parameters(bug)


def test_there_are_enough_bugs():
    """At least twenty, all different; `tests/test_additions.py` names what has none."""
    assert len({(bug.where, bug.old, bug.new) for bug in BUGS}) == len(BUGS) >= 20
    assert len({bug.name for bug in BUGS}) == len(BUGS)


def test_planting_refuses_a_text_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    """A bug whose text has gone from the source is an error, not a bug that is never planted."""
    gone = replace(BUGS[0], name="gone", old="no such text")
    with pytest.raises(ValueError, match="gone: not exactly once"):
        gone.plant(monkeypatch)


# Derivatives by differences, for tests that look at one function and not at a whole network.


def differences(f: Callable[[], float], x: Array, h: float = 1e-3) -> Array:
    """df/dx by five-point central differences; f reads x, which is moved and put back."""
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        start = x[index]
        for steps, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            x[index] = start + steps * h
            slopes[index] += weight * f() / (12 * h)
        x[index] = start
    return slopes


def spaced(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Numbers in [-2, 2], no two closer than a few h and none at zero: away from every kink."""
    size = int(np.prod(shape))
    values = np.linspace(-2, 2, size + size % 2)[:size]
    return np.random.default_rng(seed).permutation(values).reshape(shape)


def parameters_of(layer: Layer) -> dict[str, Parameter]:
    """The layer's own parameters by name, and those of layers in it by `<index>.<name>`."""
    own = {parameter.name: parameter for parameter in layer.parameters}
    return own | {name: p for inner in layer.children for name, p in inner.parameters.items()}


def worst_errors(layer: Layer, x: Array, *, training: bool = True) -> dict[str, float]:
    """How far backward's dx and parameter gradients are from differences, each on its own scale.

    The loss is a fixed random weighting of the outputs; dropout draws the same mask every time.
    """

    def forward() -> Array:
        return layer.forward(x, np.random.default_rng(1) if training else None)

    weighting = np.random.default_rng(2).standard_normal(forward().shape)

    def loss() -> float:
        return float(np.sum(forward() * weighting))

    forward()
    parameters = parameters_of(layer)
    found = {"dx": layer.backward(weighting).copy()}
    found |= {name: p.grad.copy() for name, p in parameters.items()}
    moved = {"dx": x} | {name: p.value for name, p in parameters.items()}
    errors = {}
    for name, array in moved.items():
        numerical = differences(loss, array)
        errors[name] = np.abs(numerical - found[name]).max() / max(np.abs(numerical).max(), 1e-3)
    return errors
