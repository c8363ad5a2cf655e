"""Losses over whole splits."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.engines import numpy_engine
from nnrun.engines.numpy_engine import evaluate
from nnrun.nn import CrossEntropy, Network, conv2d, dense
from nnrun.nn.layers import Flatten


def test_chunks_make_no_difference_but_rounding(monkeypatch):
    """The loss over 100 rows is the mean over rows, in chunks of 7 as in one piece."""
    rng = np.random.default_rng(0)
    blocks = [conv2d(2, 3, activation="tanh"), Flatten(), dense(3, "softmax")]
    network = Network(blocks, CrossEntropy(), (1, 5, 5))
    network.initialize(rng=rng)
    target = np.eye(3)[rng.integers(3, size=100)]
    x = rng.standard_normal((100, 1, 5, 5))
    loss, outputs = evaluate(network, x, target)
    expected = -np.mean(np.log(np.sum(network.predict(x) * target, axis=1)))
    assert loss == pytest.approx(expected, rel=1e-13)
    monkeypatch.setattr(numpy_engine, "chunk_rows", lambda network: 7)
    chunked_loss, chunked = evaluate(network, x, target)
    assert loss == pytest.approx(chunked_loss, rel=1e-13)
    np.testing.assert_allclose(outputs, chunked, rtol=1e-12)


def test_chunks_are_small_for_wide_networks():
    """A network that holds a million numbers for a row is evaluated row by row."""
    network = Network([dense(1_000_000)], CrossEntropy(), (4,))
    assert 1 == numpy_engine.chunk_rows(network)
