"""Batch normalisation and what is left of an epoch for its last batch."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.errors import ConfigError
from nnrun.sklearn import NetworkRegressor

NORM = "{type: batch_norm}"
PIXEL = "{type: conv2d, channels: 2, kernel: 8}"
# Of digits 401 rows are left to train on, whose last batch of 8, 16 or 25 is a single one.
TEXT = """dataset: {{name: digits, test_size: 1396}}
network:
  layers: [{layers}, {{type: dense, units: 10, activation: softmax}}]
loss: cross_entropy
training: {{learning_rate: 0.1, epochs: 1, batch_size: {size}, sampling: {sampling}}}
"""
VECTORS, ONE_PIXEL, INSIDE, IMAGES, NONE = (
    f"{{type: flatten}}, {NORM}",
    f"{PIXEL}, {NORM}, {{type: flatten}}",
    f"{{type: flatten}}, {{type: residual, layers: [{{type: residual, layers: [{NORM}]}}]}}",
    f"{{type: conv2d, channels: 2, kernel: 7}}, {NORM}, {{type: flatten}}",
    "{type: flatten}",
)


def text(layers=VECTORS, size=16, sampling="shuffle"):
    return TEXT.format(layers=layers, size=size, sampling=sampling)


@pytest.mark.parametrize("sampling", ["shuffle", "in_order"])
@pytest.mark.parametrize(
    ("layers", "what"),
    [(VECTORS, "vectors"), (ONE_PIXEL, "images of 2×1×1"), (INSIDE, "vectors")],
)
def test_a_last_batch_of_one_row_is_refused(prepared, layers, what, sampling):
    """Its variance is 0; the message has both sizes, and one that works."""
    with pytest.raises(ConfigError) as caught:
        prepared(text(layers, sampling=sampling))
    (problem,) = caught.value.problems
    assert "training.batch_size" == problem.path
    assert (
        "401 rows in batches of 16 leave a last batch of a single row, and batch_norm on "
        f"{what} needs batches of more than one row; use batch_size 17"
    ) == problem.message
    prepared(text(layers, 17, sampling))


@pytest.mark.parametrize(
    ("layers", "size", "sampling"),
    [
        (VECTORS, 16, "with_replacement"),  # every batch is full
        (VECTORS, 401, "shuffle"),
        (VECTORS, 399, "shuffle"),  # two are left
        (IMAGES, 16, "shuffle"),  # one row has four pixels
        (NONE, 16, "shuffle"),
        (NONE, 1, "shuffle"),
    ],
)
def test_other_last_batches_are_taken(prepared, layers, size, sampling):
    """Full batches, two rows, more pixels than one, and networks without batch normalisation."""
    assert size == prepared(text(layers, size, sampling)).config.training.batch_size


@pytest.mark.parametrize("rows", range(3, 40))
def test_the_size_that_is_named_works(rows):
    """Whatever the number of rows, and of any batch size that leaves one of them."""
    x = np.random.default_rng(rows).normal(size=(rows, 2))
    settings = {"layers": [4, {"type": "batch_norm"}], "epochs": 1, "engine": "numpy"}
    for size in (size for size in range(2, rows) if rows % size == 1):
        with pytest.raises(ValueError, match="use batch_size") as caught:
            NetworkRegressor(**settings, batch_size=size).fit(x, x[:, 0])
        better = int(str(caught.value).split()[-1])
        assert 1 not in (better, rows % better)
        assert 1 == NetworkRegressor(**settings, batch_size=better).fit(x, x[:, 0]).n_iter_
