"""A run that is of no use says so, and what to try first; a good one says nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.runs.diagnosis import diagnose
from nnrun.runs.diagnosis.symptoms import far_apart, majority_share
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.execution.result import Ending, diagnosis_input
from nnrun.runs.preparation.prepare import prepare

BOSTON = """
dataset: {name: boston, features: standard}
network: {sizes: [13, 1], activations: [relu, linear]}
loss: mean_squared
training: {learning_rate: 0.001, iterations: 3000}
"""
IRIS = """
dataset: {name: iris, features: standard}
network: {sizes: [8, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 2000}
"""
IMAGES = """
dataset: {path: images.npz, task: classification, test_size: 0}
network: {sizes: [8, 2], activations: [sigmoid, softmax]}
loss: cross_entropy
training: {learning_rate: 0.0001, iterations: 300}
"""
FEW_ROWS = """
dataset: {name: diabetes, features: standard, target: standard, test_size: 0.8}
network: {sizes: [64, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 20000}
"""


@pytest.fixture
def record(prepared):
    """Trains a config and gives its record."""
    return lambda text, *overrides: Execution(prepared(text, *overrides)).run(Listener()).record


def kinds(record):
    return [warning["kind"] for warning in record.warnings]


def said(record, kind):
    return next(w["message"] for w in record.warnings if w["kind"] == kind)


@pytest.mark.parametrize(
    "name",
    [
        "autompg_mlp",
        "boston_arch2_standardized",
        "digits_arch1",
        "digits_arch2",
        "digits_cnn",
        "mnist_5k_cnn",
        "mnist_5k_mlp",
    ],
)
def test_a_good_run_has_no_warning(configs, name):
    """None of the shipped configs that learn well, at full length."""
    run = Execution(prepare(load_config(configs / f"{name}.yaml"))).run(Listener()).record
    assert ("completed", []) == (run.status, run.warnings)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_raw_features_are_named_as_the_cause_of_divergence(record, engine):
    """With the columns and the factor between them; by either engine, at the same update."""
    run = record(BOSTON, "dataset.features=none", f"training.engine={engine}")
    assert "diverged" == run.status
    assert ("loss", 1) == (run.divergence["cause"], run.divergence["iteration"])
    assert ["feature_scale", "learning_rate", "target_scale"] == kinds(run)
    scale = "features differ in scale: TAX reaches 711 and NOX 0.871, a factor of 816; "
    assert f"{scale}try dataset.features=standard" == said(run, "feature_scale")
    assert run.error.startswith("diverged: the training loss left where it began (1314) at ")
    assert run.metrics["train"]["mse"] > 1e6


@pytest.mark.parametrize("seed", [1, 3])
def test_causes_do_not_contradict_each_other(record, seed):
    """What is measured comes before what follows from it; a rate is not both small and large.

    Nor are training and test data apart where neither is predicted.
    """
    run = record(BOSTON, "dataset.features=none", "training.iterations=1300",
                 "training.batch_size=16", f"seed={seed}")  # fmt: skip
    symptoms = ["worse_than_baseline", "one_prediction"]
    causes = ["feature_scale", "learning_rate", "dead_units", "target_scale"]
    assert ("completed", symptoms + causes) == (run.status, kinds(run))
    assert "times what rows of this size bear" in said(run, "learning_rate")


def test_a_larger_rate_is_not_advised_beside_a_smaller_one(record):
    """Units that are dead ask for a smaller one, unless it is tiny; the others go on learning."""
    few_units = (BOSTON, "network.sizes=[4,1]", "dataset.features=minmax", "seed=1")
    small = record(*few_units, "training.learning_rate=0.0005", "training.iterations=100")
    assert said(small, "too_few_iterations").endswith("try more iterations")
    assert said(small, "dead_units").endswith("try a smaller learning rate, or leaky_relu")
    tiny = record(*few_units, "training.learning_rate=0.00001")
    assert said(tiny, "too_few_iterations").endswith("or a larger learning rate")
    assert said(tiny, "dead_units").endswith("try leaky_relu")


def test_divergence_into_dead_units_is_found_by_the_weights(record):
    """A loss that came back to that of the mean, with weights beyond any use, is no result."""
    run = record(BOSTON, "dataset.features=none", "training.learning_rate=0.01", "seed=3",
                 "training.iterations=10000")  # fmt: skip
    assert ("diverged", "weights") == (run.status, run.divergence["cause"])
    assert "left any useful range at iteration" in run.error


def test_the_learning_rate_comes_first_where_it_alone_is_wrong(record):
    """Features are scaled, and the step is far beyond what they bear."""
    run = record(BOSTON, "dataset.target=standard", "training.learning_rate=10")
    assert ("diverged", ["learning_rate"]) == (run.status, kinds(run))
    assert "140 times what rows of this size bear" in run.error


def test_a_large_learning_rate_for_adam(record):
    """It has a limit of its own, whatever the rows."""
    run = record(BOSTON, "training.optimizer=adam", "training.learning_rate=5")
    assert ["worse_than_baseline", "learning_rate"] == kinds(run)[:2]
    assert "500 times what adam usually bears" in said(run, "learning_rate")


def test_an_unscaled_target(record):
    """A regression that starts far from its target, and is not there yet."""
    run = record(BOSTON, "network.activations=[tanh,linear]", "training.learning_rate=0.00001")
    assert "worse_than_baseline" == kinds(run)[0]
    assert said(run, "target_scale").endswith("it reaches 50; try dataset.target=standard")
    assert "target_scale" not in kinds(record(BOSTON, "dataset.target=standard"))


def test_a_loss_of_counts_gets_no_advice_to_scale_them(record):
    """Poisson's loss refuses scaled targets, so the sizes of its targets are no cause."""
    last = "network={sizes: [1], activations: [softplus]}"
    run = record(BOSTON, "loss=poisson", last)

    assert "target_scale" not in kinds(run)


def test_too_few_iterations(record):
    """Rows that were not seen once, or a loss that was still falling."""
    few = record(BOSTON, "training.iterations=10")
    assert ["worse_than_baseline", "too_few_iterations"] == kinds(few)[:2]
    assert "training has seen 10 of 404 rows" in said(few, "too_few_iterations")
    slow = record(BOSTON, "training.learning_rate=0.00001")
    assert ["worse_than_baseline", "too_few_iterations"] == kinds(slow)[:2]
    assert "still falling, by 28% over the last fifth" in said(slow, "too_few_iterations")


def test_more_iterations_are_not_advised_where_held_out_rows_ended_the_run(record, monkeypatch):
    """Of another metric than the loss, the patience may have been too small."""
    cases = []
    keep = "nnrun.runs.execution.result.diagnose"
    monkeypatch.setattr(keep, lambda case: cases.append(case) or [])
    for monitor in ("validation_loss", "validation_r2"):
        stopping = f"training.early_stopping={{monitor: {monitor}}}"
        rate = "training.learning_rate=0.00001"
        record(BOSTON, rate, "dataset.validation_size=0.2", stopping)
    by_loss, by_r2 = (replace(case, stopped_early=True) for case in cases)
    assert "too_few_iterations" not in [found.kind for found in diagnose(by_loss)]
    found = next(found for found in diagnose(by_r2) if found.kind == "too_few_iterations")
    assert "try a larger training.early_stopping.patience" in found.message


def test_dead_units(record):
    """Zero weights put out zero for every row, and nothing moves them."""
    run = record(BOSTON, "network.initializer=zeros")
    assert ["worse_than_baseline", "one_prediction", "dead_units"] == kinds(run)[:3]
    dead = said(run, "dead_units")
    assert dead.startswith("13 of 13 relu units of layer 0 are zero for every training row; try")
    assert "initializer" in dead


def test_a_tiny_learning_rate_and_the_majoritys_share(record):
    """Nothing has moved: one prediction, and the accuracy of the most frequent class."""
    run = record(IRIS, "network.initializer=zeros", "training.learning_rate=1e-6")
    assert ["one_prediction", "majority_share", "learning_rate"] == kinds(run)[:3]
    assert "tiny" in said(run, "learning_rate")
    assert [] == kinds(record(IRIS))


def test_an_accuracy_that_few_rows_do_not_tell_from_chance_is_reported_with_both_numbers(prepared):
    """It is above the majority's share, and not at it."""
    execution = Execution(prepared(IRIS, "dataset.test_size=5"))
    execution.run(Listener())

    def message(accuracy):
        metrics = {"test": {"accuracy": accuracy}}
        case = diagnosis_input(
            execution.prepared, Ending.of(execution.prepared, execution.trainer), metrics
        )
        found = majority_share(replace(case, baseline={"test": {"accuracy": 0.4}}))
        return found and found.message

    above = "accuracy no further from the majority class's share than chance: 0.8 and 0.4 on the 5"
    assert [
        "accuracy on test data at the majority class's share (0.4)",
        f"{above} rows of test data",
        None,
    ] == [message(0.4), message(0.8), message(1.0)]


def test_sure_and_wrong(record):
    """An accuracy above the baseline's with a loss that is worse than its."""
    run = record(IRIS, "training.learning_rate=100")
    assert ("completed", ["sure_and_wrong", "learning_rate"]) == (run.status, kinds(run))


def test_images_are_judged_as_a_whole(record, tmp_path):
    """Pixels are no columns of a table: how large they are together is what counts."""
    x = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4))
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(60) % 2)
    run = record(IMAGES)
    assert "features reach 255; try dataset.features=minmax" == said(run, "feature_scale")


def test_overfitting(record):
    """Training data by heart and other data not at all: when it was better, and of what size."""
    run = record(FEW_ROWS)
    expected = ["worse_than_baseline", "far_apart", "trained_past_the_best", "many_parameters"]
    assert expected == kinds(run)[:4]
    assert "769 parameters for 88 training rows" in said(run, "many_parameters")
    assert "dataset.validation_size=0.2" in said(run, "trained_past_the_best")


def test_numbers_that_are_alike_are_not_far_apart(prepared):
    """Test rows that vary less are predicted no worse; nor are any that were not learned."""
    execution = Execution(prepared(BOSTON))
    execution.run(Listener())

    def gap(ours, other, base_train, base_test):
        metrics = {"train": {"mse": ours}, "test": {"mse": other}}
        case = diagnosis_input(
            execution.prepared, Ending.of(execution.prepared, execution.trainer), metrics
        )
        baseline = {"train": {"mse": base_train}, "test": {"mse": base_test}}
        return far_apart(replace(case, baseline=baseline)) is not None

    assert [True, False, False] == [
        gap(40.0, 80.0, 80.0, 80.0), gap(40.0, 40.0, 80.0, 41.0), gap(1e6, 2e6, 80.0, 80.0)
    ]  # fmt: skip


def test_what_cannot_be_explained_is_said_to_be_so(record, tmp_path):
    """A target that the features say nothing about, in a file of fourteen different rows."""
    rows = ["x,y"] + [f"{k % 7},{(k // 7) % 2}" for k in range(140)]
    (tmp_path / "noise.csv").write_text("\n".join(rows))
    run = record(
        """
dataset: {path: noise.csv, columns: {target: y}, task: classification, features: standard}
network: {sizes: [2], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, epochs: 20, batch_size: 10}
"""
    )
    assert ("duplicates", "unknown_cause") == (kinds(run)[0], kinds(run)[-1])
    assert "say anything about the target is not known" in said(run, "unknown_cause")


def test_warnings_are_the_same_from_a_checkpoint(prepared):
    """A run that was left and gone on with says what an uninterrupted one says."""
    wild = (BOSTON, "dataset.features=none")
    whole = Execution(prepared(*wild)).run(Listener()).record
    looks = iter(range(10**6))
    first = Execution(prepared(*wild, "training.engine=numpy"))
    first.trainer._steps = 100
    left = first.run(Listener(stop=lambda: next(looks) == 2))
    assert "interrupted" == left.record.status
    second = Execution(prepared(*wild, "training.engine=numpy"), left.checkpoint)
    again = second.run(Listener()).record
    assert (whole.warnings, whole.divergence["iteration"]) == (
        again.warnings,
        again.divergence["iteration"],
    )


def test_factors_beyond_the_range_of_numbers_are_words(record, tmp_path):
    """Of a rate to what rows bear, and of an update to weights; no sentence has an inf in it."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "far.npz", x=rng.random((60, 2)) * [1e160, 1], y=rng.random(60))
    config = f"""
        dataset: {{path: {tmp_path / "far.npz"}, task: regression, test_size: 0.2}}
        network: {{sizes: [4, 1], activations: [relu, linear]}}
        loss: mean_squared
        training: {{learning_rate: 1e100, iterations: 100, watch: true}}
        """
    error = record(config).error
    assert "the learning rate 1e+100 is more than 1e+308 times what rows" in error.lower()
    assert "an update moved 0.weight by more than 1e+308 times its size" in error
    assert not re.search(r"\b(inf|nan)\b", error)
