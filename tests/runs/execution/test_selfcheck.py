"""Runs whose engine is checked before it trains, and ends them where it is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nnrun
from nnrun.engines.tape.plan import ExecutionPlan
from nnrun.errors import EngineFaultError
from nnrun.runs.events import Listener
from nnrun.runs.execution import execute
from nnrun.runs.execution import execute as run_checks
from nnrun.runs.lifecycle import train
from nnrun.runs.verify import verify
from nnrun.sklearn import NetworkClassifier
from tests.lab import invoke

# A network for kernels: a function is generated for none with residual connections.
KERNELS = """
name: kernels
dataset: {name: iris, validation_size: 0.2, features: standard}
network:
  layers:
    - {type: residual, layers: [{type: dense, units: 4, activation: tanh}, {type: batch_norm}]}
    - {type: dropout, rate: 0.2}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 200, batch_size: 8, engine: compiled}
seed: 3
"""
FUNCTION = KERNELS.replace(
    "type: residual, layers: [{type: dense, units: 4, activation: tanh}, {type: batch_norm}]",
    "type: dense, units: 4, activation: tanh",
).replace("kernels", "function")


@pytest.fixture
def wrong(monkeypatch):
    """A wrong stride in the plans of kernels: every row of a batch is the first row of the data."""
    right = ExecutionPlan.by_rows

    def by_rows(self, kernel, /, **values):
        right(self, kernel, **(values | ({"data_row": 0} if kernel == "gather" else {})))

    monkeypatch.setattr(ExecutionPlan, "by_rows", by_rows)


@pytest.fixture
def checks(monkeypatch):
    """The engines that were checked."""
    seen, right = [], run_checks.compare_engines

    def compare(engine, *arguments, **more):
        seen.append(engine)
        return right(engine, *arguments, **more)

    monkeypatch.setattr(run_checks, "compare_engines", compare)
    return seen


@pytest.mark.usefixtures("wrong")
def test_a_wrong_engine_ends_the_run(prepared, store):
    """It is kept as failed, without anything that looks like a result; NumPy trains it."""
    run = prepared(KERNELS)
    with pytest.raises(EngineFaultError) as error:
        train(run, store)
    record = store.run(run.config.name, run.run_id).read().record
    assert ("failed", str(error.value), None) == (
        record.status,
        record.error,
        record.weights_sha256,
    )
    assert {"train": None, "validation": None, "test": None} == record.metrics
    folder = store.folder(run.config.name, run.run_id)
    assert not (folder / "model.safetensors").exists()
    assert "completed" == train(prepared(KERNELS, "training.engine=numpy"), store).record.status


@pytest.mark.usefixtures("wrong")
def test_the_error_says_what_to_do(prepared):
    """Which number differs, by how much, what trains the network, and what to report."""
    with pytest.raises(EngineFaultError) as error:
        train(prepared(KERNELS), None)
    for part in (
        "the compiled engine does not train this network as NumPy does",
        "in the first batch loss is ",
        "training.engine=numpy",
        "please report it",
        f"nnrun {nnrun.__version__}",
        f"NumPy {np.__version__}",
    ):
        assert part in str(error.value)


@pytest.mark.usefixtures("wrong")
def test_a_failed_run_is_tried_again(prepared, store, monkeypatch):
    """It is not complete: by an engine that is right, the same command trains it."""
    with pytest.raises(EngineFaultError):
        train(prepared(KERNELS), store)
    monkeypatch.undo()
    outcome = train(prepared(KERNELS), store)
    assert ("completed", True) == (outcome.record.status, outcome.trained)
    assert "same_bits" == verify(outcome.folder).finding


@pytest.mark.usefixtures("wrong")
def test_a_wrong_engine_ends_the_command(tmp_path):
    """Exit code 1 and the text on stderr, with --json as well."""
    config = tmp_path / "kernels.yaml"
    config.write_text(KERNELS)
    for more in ([], ["--json"]):
        arguments = ["train", str(config), "--results", str(tmp_path / "results"), *more]
        result = invoke(*arguments)
        assert 1 == result.code
        assert result.err.startswith("error: the compiled engine does not train this network")
        (report,) = (tmp_path / "results").glob("kernels/*/report.json")
        assert "failed" == json.loads(report.read_text())["status"]


@pytest.mark.usefixtures("wrong")
def test_a_wrong_engine_ends_the_call(tmp_path):
    """From Python it is an error, whose text the report has."""
    config = tmp_path / "kernels.yaml"
    config.write_text(KERNELS)
    with pytest.raises(EngineFaultError) as error:
        nnrun.train(config, results=tmp_path / "results")
    (run,) = (tmp_path / "results" / "kernels").iterdir()
    assert ("failed", str(error.value)) == (nnrun.load(run).status, nnrun.load(run).error)


@pytest.mark.usefixtures("wrong")
def test_a_wrong_engine_ends_the_fit():
    """An estimator is not fitted."""
    rng = np.random.default_rng(0)
    layers = [
        {"type": "residual", "layers": [{"type": "dense", "units": 4, "activation": "tanh"}]},
        {"type": "dense", "units": 5, "activation": "relu"},
    ]
    estimator = NetworkClassifier(layers, engine="compiled", random_state=0)
    with pytest.raises(EngineFaultError):
        estimator.fit(rng.standard_normal((60, 4)), np.arange(60) % 3)
    assert not hasattr(estimator, "model_")


def test_partial_fits_are_checked_once(checks):
    """An estimator goes on with the network that was checked."""
    rng = np.random.default_rng(0)
    estimator = NetworkClassifier((5,), engine="compiled", random_state=0)
    for _ in range(3):
        estimator.partial_fit(rng.standard_normal((60, 4)), np.arange(60) % 3, classes=[0, 1, 2])
    assert 1 == len(checks)


@pytest.mark.parametrize("text", [KERNELS, FUNCTION])
@pytest.mark.parametrize(
    "override",
    [
        "training.batch_size=8",
        "training.dtype=float32",
        "training.optimizer={type: sgd, momentum: 0.9}",
        "training.optimizer=adam",
        "training.clip_norm=0.1",
        "training.sampling=with_replacement",
    ],
)
def test_a_run_that_is_checked_has_the_bits_of_one_that_is_not(
    prepared, monkeypatch, checks, text, override
):
    """Of its weights, its metrics and its history."""
    run = prepared(text, override)
    ours = train(run, None).result
    monkeypatch.setattr(execute, "check_engine", lambda *_: None)
    alone = train(prepared(text, override), None).result
    assert 1 == len(checks)
    assert alone.record.weights_sha256 == ours.record.weights_sha256
    assert (alone.record.metrics, alone.history) == (ours.record.metrics, ours.history)


def test_a_run_that_goes_on_is_checked_and_has_the_same_bits(prepared, store, checks):
    """From a checkpoint: the process may be another, on another machine."""
    stops = iter([False, True])
    run = prepared(KERNELS, "training.evaluate_every=20")
    callbacks = Listener(stop=lambda: next(stops))
    assert "interrupted" == train(run, store, callbacks).record.status
    again = train(prepared(KERNELS, "training.evaluate_every=20"), store).record
    alone = train(prepared(KERNELS, "training.evaluate_every=20"), None).record
    assert ("completed", alone.weights_sha256) == (again.status, again.weights_sha256)
    assert 3 == len(checks)


def test_numpy_is_not_checked(prepared, checks):
    """It is what others are held against."""
    train(prepared(KERNELS, "training.engine=numpy"), None)
    assert [] == checks
