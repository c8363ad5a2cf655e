"""Which update a config and a run are explained by."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.errors import UsageError
from nnrun.explain.update import explain_config, explain_run
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare

CONFIG = {
    "name": "flowers",
    "dataset": {"name": "iris", "test_size": 0.2, "features": "standard"},
    "network": {"layers": [
        {"type": "dense", "units": 4, "activation": "tanh"},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ]},
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.1, "iterations": 1, "optimizer": "adam"},
}  # fmt: skip


def config(**training: object) -> dict[str, object]:
    return {**CONFIG, "training": {**CONFIG["training"], **training}}


def trained(run) -> np.ndarray:
    """The weights of a run, in the order of its network's parameters."""
    result = train(run, None).result
    return np.concatenate([result.weights[name].ravel() for name in run.network.parameters])


def weights(explanation) -> np.ndarray:
    parameters = [p for trace in explanation.update.layers for p in trace.parameters]
    return np.concatenate([p.updated.ravel() for p in parameters])


@pytest.mark.parametrize("sampling", ["shuffle", "with_replacement", "in_order"])
def test_a_config_shows_the_first_update(sampling):
    """With one row for each update: the weights of a run of one iteration, bit for bit."""
    experiment = load_config(config(sampling=sampling))
    expected = trained(prepare(experiment))

    assert expected.tobytes() == weights(explain_config(experiment)).tobytes()


def test_rows_have_their_numbers_in_the_file(tmp_path):
    """Rows with missing cells, which are left out, count as well."""
    lines = ["a,y", *(f"{'' if row in (1, 3) else row},{row % 2}" for row in range(1, 13))]
    (tmp_path / "holes.csv").write_text("\n".join(lines))
    data = {"path": str(tmp_path / "holes.csv"), "columns": {"target": "y"},
            "missing": "drop_rows", "test_size": 0}  # fmt: skip
    network = {"sizes": [1], "activations": ["linear"]}
    holes = {"dataset": data, "network": network, "loss": "mean_squared"}
    experiment = load_config({**config(), **holes})

    found = explain_config(experiment, [5])

    assert [5] == found.rows
    assert [[5.0]] == found.update.x.tolist()
    with pytest.raises(UsageError, match="--row 3: not a training row"):
        explain_config(experiment, [3])


def test_a_run_shows_the_update_after_its_last(store):
    """With the optimizer's memory and the schedule's rate: the weights of a run longer by one."""
    rate = {"schedule": "exponential", "initial": 0.1, "every": 5}
    options = {"sampling": "in_order", "learning_rate": rate, "engine": "numpy"}

    outcome = train(prepare(load_config(config(iterations=7, **options))), store)
    longer = prepare(load_config(config(iterations=8, **options)))
    eighth = int(longer.split.train.rows[7]) + 1

    found = explain_run(outcome.folder, outcome.record, [eighth])

    np.testing.assert_allclose(weights(found), trained(longer), rtol=1e-12)
    assert f"the update after 7 iterations, on row {eighth} of the data" == found.moment
    assert [] == [*found.notes]


def test_memory_that_is_not_of_these_weights(store):
    """Where the best weights were put back, the optimizer starts anew, and a note says so."""
    stopping = {"patience": 1, "restore_best": True}
    training = {"iterations": 400, "early_stopping": stopping, "evaluate_every": 5}
    made = config(**training, learning_rate=0.5)
    made["dataset"] = {**made["dataset"], "validation_size": 0.2}
    outcome = train(prepare(load_config(made)), store)

    found = explain_run(outcome.folder, outcome.record)

    assert 1 == found.update.optimizer.steps
    assert "state starts empty" in found.notes[0]


def test_memory_that_was_changed_is_refused(store):
    """A file is used if the report has its digest, and not only because it is there."""
    outcome = train(prepare(load_config(config())), store)
    state = outcome.folder / "state.safetensors"
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    state.write_bytes(content)
    with pytest.raises(UsageError, match=r"is damaged: state\.safetensors is not the file"):
        explain_run(outcome.folder, outcome.record)


def test_rows_of_a_batch():
    """In the order given; only training rows, by their numbers in the data."""
    experiment = load_config(config(batch_size=2, dtype="float32"))
    rows = [int(row) + 1 for row in prepare(experiment).split.train.rows[[3, 1]]]

    found = explain_config(experiment, rows)

    assert (rows, (2, 4)) == (found.rows, found.update.x.shape)
    assert ["training computes in float32; these numbers are in float64"] == [*found.notes]
    left_out = next(n for n in range(1, 151) if n - 1 not in prepare(experiment).split.train.rows)
    with pytest.raises(UsageError, match=f"--row {left_out}: not a training row; training rows"):
        explain_config(experiment, [left_out])
