"""A transcription that shares no code with nnrun ends at nnrun's weights, in every experiment.

It is given nnrun's split, initial weights and order of rows. Over the full number of iterations
the two agree to 1e-12: every weight is where the equations of the notebook lead, with the exact
gradient, and a difference in a mean over seeds can only come from what was drawn.
"""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.engines.base import Sampler
from nnrun.runs.events import Listener
from nnrun.training.state import Streams
from tests.notebook.transcription import binary, one_hot, train_cnn, train_dense, unit_rows

TOLERANCE = 1e-12
# name: (classes or None, preparation of raw rows, activations, learning rate, iterations)
DENSE = {
    "boston_linear": (None, unit_rows, ["linear"], 0.01, 10_000),
    "iris_softmax": (3, unit_rows, ["softmax"], 0.001, 5_000),
    "boston_arch1": (None, unit_rows, ["linear"], 0.1, 11_111),
    "boston_arch2": (None, unit_rows, ["sigmoid", "linear"], 0.001, 11_111),
    "boston_arch3": (None, unit_rows, ["sigmoid", "sigmoid", "linear"], 0.001, 11_111),
    "digits_arch1": (10, binary, ["tanh", "sigmoid"], 1.0, 11_111),
    "digits_arch2": (10, binary, ["tanh", "softmax"], 0.01, 11_111),
}


def drawn(run, iterations):
    """Raw training rows and targets, initial weights by name, and the order that nnrun draws."""
    part, seed = run.prepared.split.train, run.prepared.config.seed
    weights = {
        name: parameter.value.copy() for name, parameter in run.trainer.network.parameters.items()
    }
    sampler = Sampler(len(part), 1, "with_replacement", rng=Streams(seed).order)
    return part.x, part.y, weights, sampler.take(iterations)[0]


def assert_same(expected, actual):
    """Every weight, relative to its size where that is above 1."""
    assert set(expected) == set(actual)
    for name, array in expected.items():
        error = np.abs(actual[name] - array) / np.maximum(1, np.abs(array))
        assert error.max() <= TOLERANCE, f"{name}: {error.max():.2e}"


@pytest.mark.parametrize("name", DENSE)
def test_dense_networks_end_at_the_same_weights(experiment, name):
    """Questions 2, 3, 5 and 6."""
    classes, prepared, activations, rate, iterations = DENSE[name]
    run = experiment(name)
    x, y, initial, order = drawn(run, iterations)
    x = prepared(x.reshape(len(x), -1).astype(float))
    t = y if classes is None else one_hot(y, classes)
    layers = [(initial[f"{k}.weight"], initial[f"{k}.bias"]) for k in range(len(activations))]
    trained = train_dense(x, t, order, layers, activations, rate)
    result = run.run(Listener())
    assert (iterations, "completed") == (run.trainer.iteration, result.record.status)
    expected = {}
    for k, (w, b) in enumerate(trained):
        expected |= {f"{k}.weight": w, f"{k}.bias": b}
    assert_same(expected, result.weights)


def test_the_convolutional_network_ends_at_the_same_weights(experiment):
    """Question 9."""
    run = experiment("digits_cnn")
    x, y, initial, order = drawn(run, 5_000)
    weights = [initial[name] for name in ("0.weight", "0.bias", "2.weight", "2.bias")]
    filters = weights[0][:, 0]
    f, b_conv, w, b = train_cnn(
        binary(x[:, 0].astype(float)), one_hot(y, 10), order, [filters, *weights[1:]], 0.01
    )
    result = run.run(Listener())
    assert (5_000, "completed") == (run.trainer.iteration, result.record.status)
    expected = {"0.weight": f[:, None], "0.bias": b_conv, "2.weight": w, "2.bias": b}
    assert_same(expected, result.weights)
