"""Runs whose weights are averaged: the average is evaluated and kept, and the bits stay the same
whatever happens on the way.
"""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.load import config_from_dict
from nnrun.models.load import load_model, of_member, weights_of
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.preparation.members import members_of
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.verify import verify
from nnrun.training.state import network_arrays
from nnrun.training.trainer import Trainer
from tests.lab import write

DEEP = """
name: deep
dataset: {name: iris, validation_size: 0.2, features: standard}
network:
  layers:
    - {type: dense, units: 6, activation: tanh}
    - {type: batch_norm}
    - {type: dropout, rate: 0.2}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training:
  learning_rate: 0.05
  iterations: 200
  batch_size: 8
  evaluate_every: 20
  average: {ema: 0.95}
"""
PLAIN = DEEP.replace("    - {type: batch_norm}\n    - {type: dropout, rate: 0.2}\n", "")
STOPPING = "training.early_stopping={patience: 3}"
VARIANTS = pytest.mark.parametrize(
    ("config", "overrides"),
    [
        (DEEP, ["training.engine=numpy"]),
        (DEEP, ["training.engine=compiled", "training.optimizer=adam", "training.dtype=float32"]),
        (PLAIN, ["training.engine=compiled"]),
        (PLAIN, ["training.engine=numpy", "training.evaluate_rows=50"]),
    ],
    ids=["numpy", "kernels", "function", "parts"],
)


def trained(prepared, *overrides: str, config: str = DEEP) -> Trainer:
    """The trainer of a run, at its end."""
    execution = Execution(prepared(config, *overrides))
    execution.train(Listener())
    return execution.trainer


def copied(trainer: Trainer) -> dict[str, np.ndarray]:
    """Copies of parameters and buffers."""
    return {name: array.copy() for name, array in network_arrays(trainer.network).items()}


@VARIANTS
def test_evaluations_are_of_the_average(prepared, config, overrides):
    """Losses of the history are those of a network that has the average for weights."""
    run = Execution(prepared(config, *overrides)).trainer
    run.update(37)
    own, average = copied(run), {k: v.copy() for k, v in run.optimizer.average.arrays.items()}
    row = run.evaluate_splits()
    for name, array in network_arrays(run.network).items():
        assert own[name].tobytes() == array.tobytes()
        array[...] = average[name]
    for name, split in run.splits.items():
        loss, _ = run.engine.evaluate(split.x, split.loss_target)
        assert row[f"{name}_loss"] == pytest.approx(loss, rel=1e-6)
    for name, array in network_arrays(run.network).items():
        array[...] = own[name]
    assert row["train_loss"] != run.engine.evaluate(split.x, split.loss_target)[0]


@VARIANTS
def test_the_average_is_kept(prepared, store, config, overrides):
    """The stored model predicts with it, to the metrics of the report, and not with the weights."""
    outcome = train(prepared(config, *overrides), store)
    run = prepared(config, *overrides)
    execution = Execution(run)
    execution.trainer.update(200)
    average, theta = execution.trainer.optimizer.average.arrays, execution.trainer.network.theta
    network = load_model(outcome.folder).network
    assert average["theta"].tobytes() == network.theta.tobytes() != theta.tobytes()
    for name, array in network.buffers.items():
        assert average[f"buffers.{name}"].tobytes() == array.tobytes()
    loss = outcome.record.metrics["test"]["loss"]
    test = run.examples["test"]
    assert loss == pytest.approx(network.evaluate(test.x, test.target)[0], rel=1e-6)


@VARIANTS
def test_the_best_weights_are_an_average(prepared, config, overrides):
    """Early stopping restores the average of its best evaluation, and what is kept has its loss."""
    more = (STOPPING, "training.learning_rate=0.3", "training.iterations=4000")
    run = trained(prepared, *overrides, *more, config=config)
    assert run.stopped_early
    best = run.stopping.best_iteration
    again = Execution(prepared(config, *overrides, *more)).trainer
    again.update(best)
    for name, array in network_arrays(run.network).items():
        assert again.optimizer.average.arrays[name].tobytes() == array.tobytes()
    (row,) = (row for row in run.history if row["iteration"] == best)
    if not run.parts:
        assert row["validation_loss"] == run.evaluate("validation")[0]


@VARIANTS
def test_an_interrupted_run_goes_on_to_the_same_bits(prepared, store, config, overrides):
    """What it keeps until then is the average, and its checkpoint has the weights themselves."""
    whole = train(prepared(config, *overrides), None)
    half = train(prepared(config, *overrides), store, until=80)
    assert "interrupted" == half.record.status
    run = Execution(prepared(config, *overrides)).trainer
    run.update(80)
    kept = half.result.weights
    parameters = run.network.parameters
    with run.averaged():
        for name, parameter in parameters.items():
            assert parameter.value.tobytes() == kept[name].tobytes()
    starts = []
    end = train(
        prepared(config, *overrides), store, Listener(started=lambda run, at: starts.append(at))
    )
    assert [80] == starts
    assert whole.record.weights_sha256 == end.record.weights_sha256
    assert whole.result.history == end.result.history


@VARIANTS
@pytest.mark.parametrize("stopping", [[], [STOPPING.replace("3", "100")]], ids=["whole", "best"])
def test_an_extended_run_is_the_longer_run(prepared, store, config, overrides, stopping):
    """Same id, same weights, same learning curve as its config gives all at once."""
    first = train(prepared(config, *overrides, *stopping), store)
    longer = extend(first.folder, 160)
    outcome = train(longer.prepared, store, extension=longer)
    again = prepare_again(config_from_dict(outcome.record.config), longer.prepared.dataset)
    whole = train(again, None)
    assert whole.record.run_id == outcome.record.run_id != first.record.run_id
    assert whole.record.weights_sha256 == outcome.record.weights_sha256
    assert whole.result.history == outcome.result.history


def test_an_average_is_verified(prepared, store):
    """Training again gives every bit."""
    outcome = train(prepared(DEEP), store)
    verdict = verify(outcome.folder)
    assert (0, "same_bits") == (verdict.exit_code, verdict.finding)


@pytest.mark.parametrize("ema", ["0", "1", "1.0", "-0.5", "2", "x"])
def test_a_share_that_is_none_is_refused(lab, ema):
    """At its line and column, before anything is written."""
    write("run.yaml", PLAIN.replace("0.95", ema))
    line = PLAIN.splitlines().index("  average: {ema: 0.95}") + 1
    shown = f"'{ema}'" if ema == "x" else ema
    expected = f"run.yaml:{line}:18: training.average.ema: {shown} is not a number greater than 0"
    assert lab.refused("train", "run.yaml").startswith(f"{expected} and below 1\n")
    assert not (lab.folder / "results").exists()


def test_a_number_in_place_of_the_block_says_what_to_write(lab):
    """The block with that number."""
    write("run.yaml", PLAIN.replace("{ema: 0.95}", "0.95"))
    assert "a mapping like {ema: 0.999}; write {ema: 0.95}" in lab.refused("train", "run.yaml")


@pytest.mark.parametrize("average", [True, False], ids=["average", "plain"])
@pytest.mark.parametrize("stopping", [[], [STOPPING.replace("3", "100")]], ids=["whole", "best"])
def test_members_go_on_from_the_weights_themselves(prepared, store, average, stopping):
    """A member that had ended when its run was interrupted ends as if nothing had happened, so that
    the run can be extended.
    """
    text = DEEP if average else DEEP.replace("  average: {ema: 0.95}\n", "")
    words = [text + "members: 3\n", "training.learning_rate=0.5", *stopping]
    half = train(prepared(*words), store, until=480)
    assert "interrupted" == half.record.status
    third = Execution(list(members_of(prepared(*words)))[2]).trainer
    third.update(80)
    with third.averaged():
        for name, array in weights_of(third.network).items():
            assert array.tobytes() == of_member(half.result.weights, 2)[name].tobytes()
    end, whole = train(prepared(*words), store), train(prepared(*words), None)
    assert whole.record.weights_sha256 == end.record.weights_sha256
    expected, actual = whole.result.ending.arrays, end.result.ending.arrays
    assert expected.keys() == actual.keys()
    for name, array in expected.items():
        assert array.tobytes() == actual[name].tobytes()
