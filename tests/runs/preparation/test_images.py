"""Whether a network takes the images of a data set as images or as vectors."""

from __future__ import annotations

import numpy as np
import pytest

TEXT = """dataset: {{path: images.npz, task: regression, test_size: 2}}
network:
  layers: [{layers}, {{type: dense, units: 1}}]
loss: mean_squared
training: {{learning_rate: 0.1, iterations: 1, batch_size: 2}}
"""
NORM, FLAT = "{type: batch_norm}", "{type: flatten}"
BIAS = "{type: bias, per: channel}"
RESIDUAL = "{{type: residual, layers: [{}, {{type: dense, units: 24}}]}}"


@pytest.fixture
def network(prepared, tmp_path):
    """Makes the network of these layers and a dense one, for images of 2×3×4."""
    x = np.random.default_rng(0).standard_normal((6, 2, 3, 4))
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(6.0))
    return lambda *layers: prepared(TEXT.format(layers=", ".join(layers))).network


@pytest.mark.parametrize("before", [BIAS, NORM, "{type: dropout, rate: 0.5}, " + BIAS])
def test_what_stands_before_a_flatten_takes_images(network, before):
    """A bias per channel has as many numbers as there are channels, normalisation likewise."""
    made = network(before, FLAT)
    assert (2, 3, 4) == made.input_shape
    assert {(2,), (24, 1), (1,)} == {one.shape for one in made.parameters.values()}


@pytest.mark.parametrize(
    "layers",
    [
        [FLAT],
        [FLAT, NORM],
        [NORM],
        ["{type: dense, units: 5}", FLAT],
        [RESIDUAL.format(FLAT)],
        [RESIDUAL.format(NORM), FLAT],
    ],
)
def test_all_else_takes_vectors(network, layers):
    """Without a flatten, after a dense layer, and where a flatten is the first layer."""
    assert (24,) == network(*layers).input_shape
