"""Batches, images, and the cache of prepared configs."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.load import config_to_dict
from nnrun.errors import ConfigError
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.config_cache import ConfigCache
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.sklearn import NetworkRegressor

# Batch normalisation and what is left of an epoch for its last batch.

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


# Whether a network takes the images of a data set as images or as vectors.

IMAGES_CONFIG = """dataset: {{path: images.npz, task: regression, test_size: 2}}
network:
  layers: [{layers}, {{type: dense, units: 1}}]
loss: mean_squared
training: {{learning_rate: 0.1, iterations: 1, batch_size: 2}}
"""
IMAGES_NORM, FLAT = "{type: batch_norm}", "{type: flatten}"
BIAS = "{type: bias, per: channel}"
RESIDUAL = "{{type: residual, layers: [{}, {{type: dense, units: 24}}]}}"


@pytest.fixture
def network(prepared, tmp_path):
    """Makes the network of these layers and a dense one, for images of 2×3×4."""
    x = np.random.default_rng(0).standard_normal((6, 2, 3, 4))
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(6.0))
    return lambda *layers: prepared(IMAGES_CONFIG.format(layers=", ".join(layers))).network


@pytest.mark.parametrize("before", [BIAS, IMAGES_NORM, "{type: dropout, rate: 0.5}, " + BIAS])
def test_what_stands_before_a_flatten_takes_images(network, before):
    """A bias per channel has as many numbers as there are channels, normalisation likewise."""
    made = network(before, FLAT)
    assert (2, 3, 4) == made.input_shape
    assert {(2,), (24, 1), (1,)} == {one.shape for one in made.parameters.values()}


@pytest.mark.parametrize(
    "layers",
    [
        [FLAT],
        [FLAT, IMAGES_NORM],
        [IMAGES_NORM],
        ["{type: dense, units: 5}", FLAT],
        [RESIDUAL.format(FLAT)],
        [RESIDUAL.format(IMAGES_NORM), FLAT],
    ],
)
def test_all_else_takes_vectors(network, layers):
    """Without a flatten, after a dense layer, and where a flatten is the first layer."""
    assert (24,) == network(*layers).input_shape


# What the runs of one config have in common.


def seeded(first, seed, common):
    config = first.config.model_copy(update={"seed": seed})
    return prepare_again(config, first.dataset, common)


def test_runs_that_share_are_those_that_do_not(prepared):
    """In any order, on either engine: the same run, to the last bit of its weights."""
    for engine in ("numpy", "compiled"):
        first, common = prepared(None, f"training.engine={engine}"), ConfigCache()
        for seed in (5, 3, 5):
            ours, alone = seeded(first, seed, common), seeded(first, seed, None)
            assert alone.run_id == ours.run_id
            expected, record = (train(run, None).record for run in (alone, ours))
            assert expected.config == record.config
            assert expected.weights_sha256 == record.weights_sha256
            assert expected.metrics == record.metrics


def test_what_is_done_to_one_run_is_not_done_to_the_next(prepared):
    """Each has a config of its own."""
    first, common = prepared(), ConfigCache()
    one, other = (seeded(first, seed, common) for seed in (1, 2))
    one.config_dict["training"]["learning_rate"] = 9.0
    assert config_to_dict(other.config) == other.config_dict
    assert one.identity is other.identity
