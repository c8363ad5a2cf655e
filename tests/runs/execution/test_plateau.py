"""Runs whose learning rate follows the validation loss, as configs ask for them."""

from __future__ import annotations

import pytest

from nnrun.config.load import load_config
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared

FALLING = {"schedule": "reduce_on_plateau", "initial": 2.0, "factor": 0.5, "patience": 1}


@pytest.fixture
def prepared():
    """Makes a run of softmax regression by an engine."""

    def make(engine: str) -> Prepared:
        return prepare(load_config({
            "name": "flowers",
            "dataset": {"name": "iris", "test_size": 0.2, "validation_size": 0.2},
            "network": {"layers": [{"type": "dense", "units": 3, "activation": "softmax"}]},
            "loss": "cross_entropy",
            "training": {"learning_rate": FALLING, "iterations": 400, "engine": engine},
        }))  # fmt: skip

    return make


def rates(run: Prepared) -> list[float]:
    return [row["learning_rate"] for row in train(run, None).result.history]


def test_generated_code_follows_the_loss_too(prepared):
    """It does not make all updates in one call, but falls where NumPy does."""
    found = rates(prepared("compiled"))

    assert rates(prepared("numpy")) == found
    assert found[-1] < found[0]


def test_a_prepared_run_can_be_trained_again(prepared):
    """The rate of the second training begins anew."""
    run = prepared("numpy")

    assert rates(run) == rates(run)
