"""A playground of a run whose weights are averaged shows the average."""

from __future__ import annotations

import numpy as np
import pytest

import nnrun
from nnrun.data.splits import load_dataset
from nnrun.runs.storage.reading import read_run
from nnrun.training.state import network_arrays
from nnrun.ui.playing.session import Session, frame_of
from nnrun.ui.playing.start import start_stored


@pytest.fixture
def session(tmp_path) -> Session:
    """After ten updates of a network with batch normalisation."""
    layers = [
        {"type": "dense", "units": 4, "activation": "tanh"}, {"type": "batch_norm"},
        {"type": "dense", "units": 1, "activation": "sigmoid"},
    ]  # fmt: skip
    config = {
        "dataset": {"name": "moons", "rows": 60},
        "network": {"layers": layers}, "loss": "binary_cross_entropy",
        "training": {"iterations": 10, "batch_size": 8, "learning_rate": 0.5,
                     "average": {"ema": 0.99}},
    }  # fmt: skip
    run = nnrun.train(config, results=tmp_path / "results")
    found = Session(start_stored(run.path, read_run(run.path).record, load_dataset))
    found.advance(10, 60.0)
    return found


def test_pictures_and_losses_are_of_the_average(session):
    """Those of a network that has the average for weights; training has its own again."""
    live, average = network_arrays(session.trainer.network), session.trainer.optimizer.average
    own = {name: array.copy() for name, array in live.items()}
    frame, row = frame_of(session), session.evaluate()
    assert all(own[name].tobytes() == array.tobytes() for name, array in live.items())
    for name, array in live.items():
        array[...] = average.arrays[name]
    assert frame["outputs"] == frame_of(session)["outputs"]
    train = session.trainer.splits["train"]
    loss, _ = session.trainer.engine.evaluate(train.x, train.loss_target)
    assert loss == row["train_loss"]


@pytest.mark.parametrize("edits", [{"rate": 0.01}, {"optimizer": "adam"}], ids=str)
def test_the_average_stays_where_weights_do(session, edits):
    """Statistics included, with another optimizer too."""
    before = session.trainer.optimizer.average.arrays
    session.change(edits)
    after = session.trainer.optimizer.average.arrays
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name])
