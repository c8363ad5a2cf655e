"""The notebook's worked example of a convolution, through configs, to the last digit.

With the target 0 and 16 outputs the gradient of the mean squared loss is output / 8, so one step at
learning rate 8 moves every parameter by the gradient that the notebook gets when it uses the output
as the upstream gradient. A bias on the input moves by the gradient of the input.
"""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution

CONFIG = """
dataset: {path: example.npz, test_size: 0}
network:
  initializer: identity
  layers:
    - {type: bias}
    - {type: conv2d, channels: 1, kernel: 3, padding: same, bias: none}
    - {type: flatten}
loss: mean_squared
training: {learning_rate: 8.0, iterations: 1}
"""
IMAGE = [[1, 2, 3, 4], [2, 3, 4, 5], [7, 8, 97, 1], [1, 2, 3, 4]]
OUTPUT = [[4, 6, 8, 4], [10, 101, 7, 8], [9, 13, 104, 5], [1, 9, 11, 101]]
FILTER_GRADIENT = [[10445, 2010, 1842], [2031, 11163, 2037], [1827, 2010, 10433]]
INPUT_GRADIENT = [[105, 13, 16, 4], [23, 209, 18, 16], [18, 34, 306, 12], [1, 18, 24, 205]]


@pytest.fixture
def run(tmp_path, prepared):
    """Runs the example with a target."""

    def go(target):
        x = np.array(IMAGE, dtype=float).reshape(1, 1, 4, 4)
        np.savez(tmp_path / "example.npz", x=x, y=np.array(target, dtype=float).reshape(1, 16))
        return Execution(prepared(CONFIG)).run(Listener())

    return go


def test_the_output(run):
    """Trained towards the notebook's output the example has no error at all."""
    assert 0.0 == run(OUTPUT).record.metrics["train"]["loss"]


def test_the_gradients(run):
    """One step from the identity filter shows both gradients."""
    weights = run(np.zeros(16)).weights
    assert (np.eye(3) - FILTER_GRADIENT).tolist() == weights["1.weight"][0, 0].tolist()
    assert (-np.array(INPUT_GRADIENT)).tolist() == weights["0.bias"][0].tolist()
