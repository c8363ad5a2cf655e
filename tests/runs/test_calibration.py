"""Probabilities of runs, calibrated by rows that were set aside or held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nnrun
from nnrun.errors import NnrunError, UsageError
from nnrun.models.load import load_model, make_model, pack, unpack
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import execute
from tests.lab import invoke_well, refused, write

MOONS = """
name: moons
dataset: {name: moons, rows: 900, noise: 0.5, test_size: 400, calibration_size: 200}
network: {sizes: [48, 48, 1], activations: [relu, relu, sigmoid]}
loss: binary_cross_entropy
training: {optimizer: adam, learning_rate: 0.02, epochs: 200, batch_size: 16}
"""
WITHOUT = MOONS.replace(", calibration_size: 200", "")
TEN = ["dataset.calibration_size=10", "dataset.validation_size=100"]
OWN = "members={number: 3, validation: own}"
REGRESSION = """
name: boston
dataset: {name: boston, calibration_size: 100, features: standard, target: standard}
network: {sizes: [4, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, epochs: 3, batch_size: 16}
"""


def completed(prepared, config, *overrides):
    """A run and its result."""
    run = prepared(config, *overrides)
    return run, execute(run, None, Listener())


def test_rows_set_aside_judge_alone(prepared):
    """Intervals, sets and probabilities go by them, whatever else was held out."""
    for config, size in ((MOONS, 200), (REGRESSION, 100)):
        for more in ([], ["dataset.validation_size=60"], ["dataset.validation_size=60", OWN]):
            run, result = completed(prepared, config, *more, "training.epochs=2")
            record = result.record
            assert ("calibration", size) == (record.coverage["source"], record.coverage["rows"])
            assert size == record.dataset["n_calibration"]
            assert (config == MOONS) == (record.calibration is not None)
            assert {"train", "test", *(["validation"] if more else [])} == {*run.examples}
            assert record.metrics.keys() == {"train", "validation", "test"}


def test_intervals_go_by_the_errors_of_rows_set_aside(prepared):
    """The scores are the distances of these rows' predictions, of members their mean, scaled."""
    run, result = completed(prepared, REGRESSION, "members=3")
    model = make_model(result.weights, result.metadata, "")
    outputs, variance = model.evaluate_each(run.split.calibration.raw)
    ((a, b),) = model.errors.scale
    scaled = np.abs(run.calibration.target - outputs) / np.sqrt(a + b * variance + variance / 3)
    np.testing.assert_allclose(model.errors.scores[0], np.sort(scaled[:, 0]), rtol=1e-9)


NONE = ["dataset.calibration_size=0", "dataset.validation_size=150"]


@pytest.mark.parametrize(
    ("more", "source"), [([], "calibration"), (NONE, "validation"), ([*NONE, OWN], "out_of_bag")]
)
def test_the_report_compares_on_test_rows(prepared, more, source):
    """Before are the scores of the report's metrics, after are those of `calibrated`."""
    run, result = completed(prepared, MOONS, *more)
    found, model = result.record.calibration, make_model(result.weights, result.metadata, "")
    before, after = found["test"]["before"], found["test"]["after"]
    assert (source, 400) == (found["source"], found["test"]["rows"])
    assert result.record.metrics["test"]["log_loss"] == pytest.approx(before["log_loss"])
    p = model.calibrated().probabilities(model.evaluate(run.split.test.raw))
    right = p[np.arange(400), run.examples["test"].y]
    assert -np.log(right).mean() == pytest.approx(after["log_loss"])
    assert ((1 - right) ** 2).mean() == pytest.approx(after["brier"])
    assert after["log_loss"] < before["log_loss"]


def test_a_run_predicts_as_before_unless_asked(prepared):
    """Calibrated are probabilities, classes and thresholds of another model; sets stay."""
    run, result = completed(prepared, MOONS)
    model, x = make_model(result.weights, result.metadata, ""), run.split.test.x[:50]
    plain, calm = model.predict_proba(x), model.calibrated()
    p = calm.predict_proba(x)
    assert np.abs(p - plain).max() > 0.01
    np.testing.assert_array_equal(plain, model.predict_proba(x))
    assert [*calm.classes[p.argmax(axis=1)]] == [*calm.predict(x)]
    assert [*calm.classes[1 * (p[:, 1] >= 0.3)]] == [*calm.predict(x, threshold=0.3)]
    assert [*model.predict_covered(x, 0.9).set] == [*calm.predict_covered(x, 0.9).set]


def test_a_threshold_goes_by_calibrated_probabilities_where_asked(prepared):
    """`decide.calibrated` stores both; without it a threshold stays on those of the network."""
    block = "decide={maximize: {recall_at_precision: 0.9}, calibrated: true}"
    for given, calibrated in ((block, True), (block.replace("true", "false"), False)):
        run, result = completed(prepared, MOONS, "dataset.validation_size=100", given)
        model, record = make_model(result.weights, result.metadata, ""), result.record
        x, calm = run.split.test.x, model.calibrated()
        by = (calm if calibrated else model).predict_proba(x)[:, 1]
        expected = model.classes[(by >= record.decision["threshold"]).astype(int)]
        assert [*expected] == [*model.predict(x)] == [*calm.predict(x)]
        same = np.array_equal(model.predict_proba(x), calm.predict_proba(x))
        assert same == calibrated == record.calibration["used"]
        accuracy = (expected == model.classes[run.examples["test"].y]).mean()
        assert accuracy == pytest.approx(record.metrics["test"]["accuracy"])


@pytest.mark.parametrize(
    ("config", "more", "said"),
    [
        (WITHOUT, [], "dataset.calibration_size=0.2"),
        (MOONS, [*TEN, "decide={maximize: f1, calibrated: true}"], "there are 10; set dataset.cal"),
        (REGRESSION, [], "this is a regression"),
    ],
)
def test_what_cannot_be_calibrated_says_what_to_set(prepared, config, more, said):
    """No held-out rows, ten rows, of which a report warns that needs them, and a regression."""
    _, result = completed(prepared, config, *more, "training.epochs=2")
    warned = "not_calibrated" in [warning["kind"] for warning in result.record.warnings]
    assert warned == any(word.startswith("decide") for word in more)
    with pytest.raises(UsageError, match=said):
        make_model(result.weights, result.metadata, "").calibrated()


@pytest.fixture
def moons(tmp_path, monkeypatch):
    """A trained run in the current folder."""
    monkeypatch.chdir(tmp_path)
    write("moons.yaml", MOONS)
    invoke_well("train", "moons.yaml")
    return nnrun.load("moons")


def test_predictions_and_reports_have_it(moons):
    """A file holds the probabilities of `run.predict_proba(x, calibrated=True)`; `show` a table."""
    x = np.random.default_rng(0).uniform(-1, 2, (9, 2))
    np.savez("new.npz", x=x)
    expected = moons.predict_proba(x, calibrated=True)
    assert np.abs(expected - moons.predict_proba(x)).max() > 0.01
    answer = invoke_well("predict", "moons", "new.npz", "--calibrated", "-o", "out.npz")
    with np.load("out.npz") as arrays:
        np.testing.assert_array_equal(expected, arrays["probability"])
    assert "200 rows held out from training" in " ".join(answer.err.split())
    shown = " ".join(invoke_well("show", "moons").out.split())
    assert "calibration error" in shown
    assert "200 calibration rows of 2 features" in shown
    assert "the same bits" in invoke_well("verify", "moons").out
    invoke_well("export", "moons", "-o", "moons.py", "--calibrated")
    assert "def calibrated(" in Path("moons.py").read_text(encoding="utf-8")
    said = refused("predict", "moons", "--out-of-fold", "--calibrated")
    assert "--calibrated is for new rows" in said


def test_what_early_stopping_makes_of_it(moons):
    """`show` names early stopping where it looked at the rows that judge."""
    decided = ["decide={maximize: f1, calibrated: true}", "training.epochs=3"]
    stopped = [*decided, "dataset.validation_size=100", "training.early_stopping={patience: 9}"]
    for size in (0, 150):
        invoke_well("train", "moons.yaml", *stopped, f"dataset.calibration_size={size}")
        shown = " ".join(invoke_well("show", "moons").out.split())
        assert (size == 0) == ("which early stopping chose by too" in shown)


FORGED = [
    {"method": "magic"},
    {"method": "temperature", "numbers": [-1.0]},
    {"method": "platt", "numbers": [1.0]},
    {"method": "isotonic", "numbers": [0.5, 0.4, 0.1, 0.2]},
    {"method": "isotonic", "numbers": [0.4, 0.5, 0.2, 1.1]},
    {"method": "isotonic", "numbers": [0.4, 0.5, 0.2]},
    {"method": "none", "numbers": [1.0]},
]


def test_forged_calibrations_are_refused(moons):
    """A model whose calibration is no map of probabilities is damaged."""
    path = moons.path / "model.safetensors"
    arrays, values = unpack(path)
    assert load_model(moons.path).calibration is not None
    for forged in FORGED:
        path.write_bytes(pack(arrays, values | {"calibration": values["calibration"] | forged}))
        with pytest.raises(NnrunError, match="damaged"):
            load_model(moons.path)
