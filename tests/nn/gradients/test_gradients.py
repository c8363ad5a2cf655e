"""Every layer, activation and loss of the tables, in every pair, against differences."""

from __future__ import annotations

import inspect
from itertools import product
from typing import Any, get_type_hints

import numpy as np
import pytest

from nnrun.nn import (
    ACTIVATIONS,
    LAYERS,
    LOSSES,
    Bias,
    Flatten,
    Initializer,
    Network,
    check_gradients,
    dense,
)
from nnrun.nn import activation as activation_layer
from nnrun.nn.gradient_check import TOLERANCE
from nnrun.nn.network import LayerError
from nnrun.nn.sequential import Layers
from nnrun.nn.signature import Array, Shape

VECTOR, IMAGE = (3,), (1, 4, 4)
LAST = {name: loss.needs for name, loss in LOSSES.items() if loss.needs}
ROWS, OUTPUTS = 3, 2


def combinations() -> list[tuple[str, str, str]]:
    """(layer, activation, loss): each pair of a layer with an activation or a loss, and of these.

    Softmax stands only last, and last is what the loss asks for.
    """
    found = []
    for (row, layer), (column, activation) in product(enumerate(LAYERS), enumerate(ACTIVATIONS)):
        suit = [name for name in LOSSES if LAST.get(name, activation) == "softmax"]
        losses = suit if activation == "softmax" else [*LOSSES]
        found.append((layer, activation, losses[(row + column) % len(losses)]))
    return found


def blocks(layer: str, activation: str, loss: str, shape: Shape) -> list[Any]:
    """The layer between a bias, which needs its dx, and the output, with the activation in it."""
    hidden = "tanh" if activation == "softmax" else activation
    given: dict[str, Any] = {"units": 3, "channels": 2, "name": hidden, "activation": hidden}
    entry = LAYERS[layer]
    hints = get_type_hints(entry.__init__ if inspect.isclass(entry) else entry)
    given |= {n: [Bias(), activation_layer(hidden)] for n, kind in hints.items() if kind == Layers}
    signature = inspect.signature(entry).parameters
    required = [name for name, p in signature.items() if p.default is inspect.Parameter.empty]
    unknown = [name for name in required if name not in given]
    assert not unknown, f"{layer} needs {unknown}: say in `given` of this file what to try"
    arguments = {name: given[name] for name in {*required, "activation"} & set(signature)}
    # The tanh gives every row a weight of its own: batch_norm takes out what all rows share.
    first = [Bias(), activation_layer("tanh")]
    stack = [first, entry(**arguments), activation_layer(hidden)]
    if "activation" in signature:
        stack.pop()
    if len(shape) == 3 and not getattr(entry, "makes_vectors", False):
        stack.append(Flatten())
    return [*stack, dense(OUTPUTS, LAST.get(loss, activation), initializer=Initializer("uniform"))]


def networks(layer: str, activation: str, loss: str) -> list[Network]:
    """One network for every kind of input that the layer takes."""
    found = []
    for shape in (VECTOR, IMAGE):
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
