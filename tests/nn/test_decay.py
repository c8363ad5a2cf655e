"""What weight decay is on: weights, and not embeddings, biases, scales and shifts."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.engines.base import Batches
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import MeanSquared, Network, dense
from nnrun.nn.embedding import Embedding, Table
from nnrun.nn.optimizers import SGD, Adam, AdamW, RMSprop
from nnrun.runs.preparation.prepare import prepare
from nnrun.training.state import allocate

ENGINES = {"numpy": NumpyEngine, "tape": partial(TapeEngine, batch_size=4)}
OPTIMIZERS = [SGD, partial(SGD, momentum=0.9), Adam, AdamW, RMSprop]


def trained(engine, optimizer, blocks, features, **settings):
    """A network before and after ten steps whose gradients are zero, by parameter."""
    network = Network(blocks(), MeanSquared(), (features,), "float64")
    network.initialize(rng=np.random.default_rng(0))
    network.theta[...] = np.random.default_rng(1).normal(size=network.size)
    made = optimizer(weight_decay=0.1, **settings)
    x = np.random.default_rng(2).integers(2, size=(4, features)).astype(np.float64)
    target = np.concatenate([network.predict(x), np.zeros((4, 1))], axis=1)[:, :1]
    before = {name: each.value.copy() for name, each in network.parameters.items()}
    allocate(network, made)
    rate = np.full(10, 1e-3)
    made_engine = engine(network, made, x, target, rng=np.random.default_rng(3))
    made_engine.run(Batches(np.tile(np.arange(4), 10), np.arange(11) * 4, rate))
    return before, {name: each.value for name, each in network.parameters.items()}


def embedded():
    return [[Embedding((Table(0, 5, 3),)), *dense(1)]]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_vectors_of_categories_without_rows_stay(engine, optimizer):
    """Bit for bit; with `decay_all` they shrink."""
    for settings, stays in (({}, True), ({"decay_all": True}, False)):
        before, after = trained(ENGINES[engine], optimizer, embedded, 2, **settings)
        # The rows have the categories 0 and 1.
        table = next(name for name in before if "embedding" in name)
        rare, now = before[table][2:], after[table][2:]
        assert stays == np.array_equal(rare, now)
        assert stays or (np.abs(now) < np.abs(rare)).all()


IRIS = {
    "name": "t", "dataset": {"name": "iris"}, "loss": "cross_entropy",
    "network": {"sizes": [3], "activations": ["softmax"]},
}  # fmt: skip


def run_id(**optimizer):
    training = {"optimizer": optimizer, "learning_rate": 0.1, "iterations": 5, "batch_size": 5}
    return prepare(load_config({**IRIS, "training": training})).run_id


def test_runs_in_which_other_parameters_decay_are_other_runs():
    """A run of all parameters has the id that it had before there was the key."""
    plain = run_id(type="sgd")
    assert plain == run_id(type="sgd", decay_all=True) == run_id(type="sgd", weight_decay=0.0)
    decayed = run_id(type="sgd", weight_decay=0.01, decay_all=True)
    assert "s42-c76302c611" == decayed
    assert decayed != run_id(type="sgd", weight_decay=0.01)
    assert run_id(type="adamw") != run_id(type="adamw", decay_all=True)
