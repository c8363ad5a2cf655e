"""Runs that smooth labels: only what training minimizes is smoothed."""

from __future__ import annotations

import pytest

from nnrun.models.load import load_model
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lifecycle import train

PLAIN = """
name: smooth
dataset: {name: iris, validation_size: 0.2, features: standard}
network: {sizes: [6, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 60, batch_size: 8, evaluate_every: 20}
"""
SMOOTH = "loss.label_smoothing=0.3"
ENGINES = pytest.mark.parametrize("engine", ["training.engine=numpy", "training.engine=compiled"])


@ENGINES
def test_reported_losses_are_of_the_targets_as_they_are(prepared, store, engine):
    """Those of the history, the report and its baseline; the weights are others."""
    outcome = train(prepared(PLAIN, SMOOTH, engine), store)
    plain = train(prepared(PLAIN, engine), None)
    assert plain.record.weights_sha256 != outcome.record.weights_sha256
    assert plain.record.baseline == outcome.record.baseline
    network = load_model(outcome.folder).network
    run = prepared(PLAIN, engine)
    for name, split in run.examples.items():
        own = run.network.loss.value(network.forward(split.x), split.target)
        assert own == pytest.approx(outcome.record.metrics[name]["loss"], rel=1e-12)
        assert own == pytest.approx(outcome.result.history[-1][f"{name}_loss"], rel=1e-12)


@ENGINES
def test_training_begins_with_the_same_loss(prepared, engine):
    """Before the first update smoothing has changed nothing that is reported."""
    smooth, plain = (
        Execution(prepared(PLAIN, engine, *more)).trainer.evaluate_splits()
        for more in ([SMOOTH], [])
    )
    assert plain == smooth


@pytest.mark.parametrize("share", ["1.0", "-0.1"])
def test_a_share_that_is_none_is_refused(lab, share):
    """At its line and column."""
    text = PLAIN.replace(
        "loss: cross_entropy", f"loss: {{type: cross_entropy, label_smoothing: {share}}}"
    )
    (lab.folder / "run.yaml").write_text(text)
    message = (
        f"run.yaml:5:46: loss.label_smoothing: {share} is not a number of at least 0 and below"
    )
    assert lab.refused("train", "run.yaml").startswith(message)
