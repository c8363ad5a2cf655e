"""Metrics of runs, also by name."""

from __future__ import annotations

import json
from math import log

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from nnrun.models.task import Classification, Regression
from nnrun.nn import CrossEntropy, Huber, MeanSquared
from nnrun.reports.summary import metric_notes
from nnrun.reports.summary import metrics_of as shown_metrics
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lifecycle import train
from nnrun.runs.metrics import baselines_of, metrics_of
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import load_history
from nnrun.runs.storage.validation import invalid_part
from nnrun.runs.verify import verify
from nnrun.training.state import PreparedSplit

# The numbers of a report against numbers worked out by hand.

PLAIN = Regression(lambda y: y, lambda y: y)


def test_outputs_without_probabilities_have_no_log_loss():
    """Ten sigmoids are no distribution; the report has null there."""
    metrics = metrics_of(Classification(2, 2, False), 0.1, np.eye(2), np.array([0, 1]))
    assert metrics["log_loss"] is None
    assert {"log_loss": "the network's outputs are not probabilities"} == metrics["undefined"]
    assert 1.0 == metrics["accuracy"]


def test_what_is_not_finite_is_null():
    """Strict JSON has no infinity, so a split with an infinite error has reasons for numbers."""
    metrics = metrics_of(PLAIN, np.inf, np.array([[np.inf], [0.0]]), np.zeros((2, 1)))
    names = ("mse", "rmse", "mae", "r2")
    reasons = dict.fromkeys(names, "a prediction is not finite")
    assert {"loss": "it is beyond the range of numbers"} | reasons == metrics.pop("undefined")
    assert dict.fromkeys(("loss", *names)) == metrics


def test_regression_baseline_is_the_training_mean():
    """The mean of 1 and 3 is 2, which misses 5 by 3."""
    train = PreparedSplit(np.zeros((2, 1)), np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))
    test = PreparedSplit(np.zeros((1, 1)), np.array([[5.0]]), np.array([[5.0]]))
    baseline = baselines_of(PLAIN, MeanSquared(), {"train": train, "test": test})["test"]
    assert (9.0, 3.0, None) == (baseline["mse"], baseline["mae"], baseline["r2"])


@pytest.mark.parametrize(("delta", "loss"), [(0.5, 0.5 * (3 - 0.25)), (1, 2.5), (10, 4.5)])
def test_the_baselines_loss_is_the_runs_own(delta, loss):
    """An error of 3 costs δ (3 - δ / 2) where it is large, 3² / 2 where it is small."""
    train = PreparedSplit(np.zeros((2, 1)), np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))
    test = PreparedSplit(np.zeros((1, 1)), np.array([[5.0]]), np.array([[5.0]]))
    assert loss == baselines_of(PLAIN, Huber(delta), {"train": train, "test": test})["test"]["loss"]


@pytest.mark.parametrize("delta", [0.01, 10.0])
def test_a_runs_baseline_has_the_arguments_of_its_loss(prepared, delta):
    """Huber's δ is in the baseline that a report shows, and in what divergence is judged by."""
    text = (
        "dataset: {name: diabetes, target: standard}\n"
        "network: {sizes: [10, 1], activations: [tanh, linear]}\n"
        f"loss: {{type: huber, delta: {delta}}}\n"
        "training: {learning_rate: 0.01, iterations: 10}\n"
    )
    run = Execution(prepared(text))
    target = run.prepared.examples["train"].target
    expected = Huber(delta).value(np.full_like(target, target.mean()), target)
    assert expected == pytest.approx(run.prepared.baseline["train"]["loss"], rel=1e-12)
    assert run.prepared.baseline["train"]["loss"] == run.trainer.bounds.baseline


def test_the_mean_of_many_float32_targets():
    """It is the mean in float64: 0.1 after 0.1 in float32 would lose digits row by row."""
    target = np.full((1_000_000, 1), 0.1, np.float32)
    train = PreparedSplit(target, target, target.astype(np.float64))
    baseline = baselines_of(PLAIN, MeanSquared(), {"train": train})["train"]
    assert 0 == pytest.approx(baseline["mse"], abs=1e-20)


def test_classification_baseline_is_the_majority():
    """Two thirds of the training rows are of class 1, so that is what it says."""
    y = np.array([1, 1, 0])
    train = PreparedSplit(np.zeros((3, 1)), np.eye(2)[y], y)
    test = PreparedSplit(np.zeros((2, 1)), np.eye(2)[[0, 1]], np.array([0, 1]))
    task, examples = Classification(2, 2, True), {"train": train, "test": test}
    baseline = baselines_of(task, CrossEntropy(), examples)["test"]
    assert 0.5 == baseline["accuracy"]
    assert -(log(1 / 3) + log(2 / 3)) / 2 == pytest.approx(baseline["loss"])
    assert baseline["loss"] == pytest.approx(baseline["log_loss"])


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_classification_is_as_scikit_learn_has_it(classes):
    """On random outputs, some of them sure and wrong, and a class that is never predicted."""
    from sklearn import metrics as sk

    rng = np.random.default_rng(classes)
    y = rng.integers(classes, size=200)
    outputs = rng.dirichlet(np.full(classes, 0.05), size=200)
    outputs[:, -1] = 0
    outputs /= outputs.sum(axis=1, keepdims=True)
    outputs[0], y[0] = np.eye(classes)[0], 1
    ours = metrics_of(Classification(classes, classes, True), 0.0, outputs, y)
    labels, predicted = np.arange(classes), outputs.argmax(axis=1)
    theirs = sk.precision_recall_fscore_support(y, predicted, labels=labels, zero_division=0.0)
    for name, values in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        assert values.tolist() == pytest.approx(ours[name], rel=1e-14)
    assert sk.accuracy_score(y, predicted) == ours["accuracy"]
    assert sk.confusion_matrix(y, predicted, labels=labels).tolist() == ours["confusion"]
    expected = sk.log_loss(y, outputs, labels=labels)
    assert expected == pytest.approx(ours["log_loss"], rel=1e-12)


@pytest.mark.parametrize("outputs", [1, 2])
def test_log_loss_in_float32_is_as_scikit_learn_has_it(outputs):
    """It is that of the probabilities as they are: 1e-30 is the ε of float32, not of float64."""
    from sklearn import metrics as sk

    task, y = Classification(2, outputs, True), np.array([0, 0, 1, 1])
    second = np.array([[0.2], [1 - 1e-7], [1e-30], [0.9]], np.float32)
    given = second if outputs == 1 else np.concatenate([1 - second, second], axis=1)
    expected = sk.log_loss(y, task.probabilities(given))
    assert expected == pytest.approx(metrics_of(task, 0.0, given, y)["log_loss"], rel=1e-6)


@pytest.mark.parametrize("outputs", [1, 3])
def test_regression_is_as_scikit_learn_has_it(outputs):
    """On random numbers, and with an output that is constant."""
    from sklearn import metrics as sk

    rng = np.random.default_rng(outputs)
    for constant in (False, True):
        y = rng.normal(5, 2, size=(50, outputs))
        y[:, 0] = 1.0 if constant else y[:, 0]
        predicted = y + rng.normal(0, 1, size=y.shape)
        ours = metrics_of(PLAIN, 0.0, predicted, y)
        assert sk.mean_squared_error(y, predicted) == pytest.approx(ours["mse"], rel=1e-12)
        rmse = sk.root_mean_squared_error(y, predicted)
        assert rmse == pytest.approx(ours["rmse"], rel=1e-12)
        assert sk.mean_absolute_error(y, predicted) == pytest.approx(ours["mae"], rel=1e-12)
        assert sk.r2_score(y, predicted) == pytest.approx(ours["r2"], rel=1e-12)
        assert 1.0 == metrics_of(PLAIN, 0.0, y, y)["r2"]


# Metrics that a config names: at the end of a run, on the way, and where classes are unequal.

NAMES = ("roc_auc", "average_precision", "balanced_accuracy")


@pytest.fixture
def rare(tmp_path, prepared):
    """Prepares a run on a table in which one row in seven is of the second class."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 2))
    y = np.where(x[:, 0] + rng.normal(size=240) / 2 > 1.2, "yes", "no")
    lines = [f"{a:.4f},{b:.4f},{label}" for (a, b), label in zip(x, y, strict=True)]
    (tmp_path / "rare.csv").write_text("\n".join(["a,b,label", *lines]) + "\n")
    text = """
name: rare
dataset: {path: rare.csv, columns: {target: label}, validation_size: 0.2}
network: {sizes: [4, 2], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 300, batch_size: 8}
"""
    return lambda *overrides: prepared(text, *overrides)


def test_a_report_has_the_metrics_that_the_config_names(prepared):
    """On every split, as scikit-learn computes them from the predictions; and of the baseline."""
    run = prepared(None, f"metrics=[{', '.join(NAMES)}]")
    outcome = train(run, None)
    model_outputs = run.network.predict(run.examples["test"].x)
    y = run.examples["test"].y
    expected = {
        "roc_auc": roc_auc_score(y, model_outputs, multi_class="ovr"),
        "average_precision": average_precision_score(y, model_outputs),
        "balanced_accuracy": balanced_accuracy_score(y, model_outputs.argmax(axis=1)),
    }
    found = outcome.record.metrics
    assert expected == pytest.approx({name: found["test"][name] for name in NAMES}, abs=1e-12)
    assert all(set(NAMES) <= set(found[split]) for split in ("train", "validation", "test"))
    assert 0.5 == outcome.record.baseline["test"]["roc_auc"]


def test_unequal_classes_get_the_metrics_they_need(rare):
    """Balanced accuracy and AUC, and a sentence; the resolved config names them."""
    outcome = train(rare(), None)
    assert ["balanced_accuracy", "roc_auc"] == outcome.record.config["metrics"]
    assert {"balanced_accuracy", "roc_auc"} <= set(outcome.record.metrics["test"])
    notes = [*metric_notes(outcome.record)]
    assert ["the classes are unequal"] == [note.partition(":")[0] for note in notes]


def test_the_log_loss_is_listed_where_the_loss_is_another(rare):
    """By class weights the loss is another number, and the log loss may be what orders runs."""
    weighted = "training.class_weight=balanced"
    listed = [
        shown_metrics(train(rare("training.iterations=1", *more), None).record)
        for more in ([], [weighted], [weighted, "sweep.order_by=log_loss"])
    ]
    assert [False, True, True] == ["log_loss" in names for names in listed]
    assert "log_loss" == listed[-1][0]


@pytest.mark.parametrize("weight", ["balanced", "null"])
def test_the_log_loss_of_weighted_classes_is_explained(rare, weight):
    """It may be worse than the baseline's, on purpose."""
    record = train(rare("training.iterations=1", f"training.class_weight={weight}"), None).record
    said = [note for note in metric_notes(record) if "by class weights" in note]
    assert (weight == "balanced") == bool(said)


@pytest.mark.parametrize(
    ("names", "note"),
    [
        ("f1_binary", "F1 binary is of class yes"),
        ("f1_binary, recall_binary", "F1 binary and recall binary are of class yes"),
        ("average_precision, f1_binary, recall_binary",
         "average precision, F1 binary and recall binary are of class yes"),
    ],
)  # fmt: skip
def test_metrics_of_the_second_class_are_listed(rare, names, note):
    """With the class that they are of."""
    record = train(rare(f"metrics=[{names}]", "training.iterations=1"), None).record
    assert note in [*metric_notes(record)]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["metrics=[]"], []),
        (["metrics=[mcc]"], ["mcc"]),
        (["published={test_mcc: 0.5, test_accuracy: 0.9}", "metrics=[]"], ["mcc"]),
        (["sweep.order_by=mcc"], ["balanced_accuracy", "roc_auc", "mcc"]),
        (["training.early_stopping={monitor: validation_brier}", "metrics=[mcc]"],
         ["mcc", "brier"]),
        (["loss=mean_squared", "network.activations.1=linear"], ["balanced_accuracy"]),
    ],
)  # fmt: skip
def test_what_a_run_computes(rare, overrides, expected):
    """What `metrics` says or unequal classes need, and what other keys name."""
    assert expected == rare(*overrides).config_dict["metrics"]


def test_equal_classes_are_as_before(prepared):
    """Nothing is added, so nothing of scikit-learn is computed."""
    assert [] == prepared().config_dict["metrics"]


def test_metrics_rename_no_run(prepared):
    """They change nothing that is trained."""
    assert prepared().run_id == prepared(None, "metrics=[mcc]", "sweep.order_by=brier").run_id


def test_early_stopping_follows_any_metric(prepared, store):
    """The history has it for the validation split; training ends when it no longer improves, and
    the weights are those of its best value.
    """
    stopping = "training.early_stopping={monitor: validation_roc_auc, patience: 3}"
    run = prepared(None, stopping, "training.iterations=2000", "training.evaluate_every=20")
    outcome = train(run, store)
    curve = [row["validation_roc_auc"] for row in load_history(outcome.folder)]
    best = int(np.argmax(curve))
    assert (best + 1 + 3, True) == (len(curve), outcome.record.stopped_early)
    assert 20 * (best + 1) == outcome.record.best_iteration
    assert curve[best] == outcome.record.metrics["validation"]["roc_auc"]
    assert verify(outcome.folder).finding == "same_bits"


def test_an_undefined_metric_is_null_with_a_reason(rare, store):
    """And early stopping counts it as the worst; the report is valid."""
    run = rare("training.early_stopping={monitor: validation_roc_auc, patience: 2}")
    run.examples["validation"].y[:] = 0
    record = train(run, store).record
    assert record.metrics["validation"]["roc_auc"] is None
    reason = "all rows are of one class"
    assert {"roc_auc": reason} == record.metrics["validation"]["undefined"]
    again = RunRecord.from_dict(json.loads(json.dumps(record.to_dict())))
    assert invalid_part(again) is None
    assert f"ROC AUC of the validation split is undefined: {reason}" in [*metric_notes(again)]


def test_a_report_that_lacks_a_metric_is_made_again(prepared, store):
    """The same run, to the same bits, with the metric; then it is complete."""
    before = train(prepared(), store)
    after = train(prepared(None, "metrics=[mcc]"), store)
    again = train(prepared(None, "metrics=[mcc]"), store)
    assert (True, True, False) == (before.trained, after.trained, again.trained)
    assert before.record.weights_sha256 == after.record.weights_sha256
    assert before.folder == after.folder
    assert 0.5 < again.record.metrics["test"]["mcc"]


def test_the_order_of_a_sweep_is_the_main_metric(prepared):
    """Of the report, and of what is read from it."""
    record = train(prepared(None, "sweep={seeds: 3, order_by: mcc}"), None).record
    sweep = record.config["sweep"]
    assert ("mcc", None, "mcc") == (record.main_metric, sweep["seeds"], sweep["order_by"])


@pytest.mark.parametrize(
    ("loss", "last", "monitor", "reason"),
    [
        ("cross_entropy", "2, softmax", "roc_auc", "all rows are of one class"),
        ("mean_squared", "1, linear", "spearman", "every target is the same"),
        ("mean_squared", "1, linear", "r2", "there is a single row"),
    ],
)
def test_what_is_undefined_stops_nothing(tmp_path, prepared, loss, last, monitor, reason):
    """Training goes on to its end, and a warning says why nothing could stop it."""
    rows = 1 if monitor == "r2" else 4
    y = [*range(2), *range(2)] * 4 + [1] * rows + [0, 1]
    lines = [f"{n % 5},{n},{label}" for n, label in enumerate(y)]
    (tmp_path / "last.csv").write_text("\n".join(["a,t,y", *lines]) + "\n")
    units, activation = last.split(", ")
    run = prepared(f"""
name: last
dataset: {{path: last.csv, columns: {{target: y}}, split: {{by: time, column: t}},
          validation_size: {rows}, test_size: 2}}
network: {{sizes: [{units}], activations: [{activation}]}}
loss: {loss}
training: {{learning_rate: 0.01, epochs: 4, evaluate_every: 8,
           early_stopping: {{monitor: validation_{monitor}, patience: 1}}}}
""")
    record = train(run, None).record

    assert (64, False, None) == (
        record.timing["iterations"], record.stopped_early, record.best_iteration
    )  # fmt: skip
    expected = (
        f"validation_{monitor} is undefined, since {reason}, so training could not stop early"
    )
    assert expected in [warning["message"] for warning in record.warnings]
    assert record.status == "completed"


# The notebook's worked example of a convolution, through configs, to the last digit.
#
# With the target 0 and 16 outputs the gradient of the mean squared loss is output / 8, so one step
# at learning rate 8 moves every parameter by the gradient that the notebook gets when it uses the
# output as the upstream gradient. A bias on the input moves by the gradient of the input.

CONFIG = """
dataset: {path: example.npz, test_size: 0}
network:
  initializer: identity
  layers:
    - {type: bias}
    - {type: conv2d, channels: 1, kernel: 3, padding: same, bias: none}
    - {type: flatten}
loss: mean_squared
training: {learning_rate: 8.0, iterations: 1}
"""
IMAGE = [[1, 2, 3, 4], [2, 3, 4, 5], [7, 8, 97, 1], [1, 2, 3, 4]]
OUTPUT = [[4, 6, 8, 4], [10, 101, 7, 8], [9, 13, 104, 5], [1, 9, 11, 101]]
FILTER_GRADIENT = [[10445, 2010, 1842], [2031, 11163, 2037], [1827, 2010, 10433]]
INPUT_GRADIENT = [[105, 13, 16, 4], [23, 209, 18, 16], [18, 34, 306, 12], [1, 18, 24, 205]]


@pytest.fixture
def run(tmp_path, prepared):
    """Runs the example with a target."""

    def go(target):
        x = np.array(IMAGE, dtype=float).reshape(1, 1, 4, 4)
        np.savez(tmp_path / "example.npz", x=x, y=np.array(target, dtype=float).reshape(1, 16))
        return Execution(prepared(CONFIG)).run(Listener())

    return go


def test_the_output(run):
    """Trained towards the notebook's output the example has no error at all."""
    assert 0.0 == run(OUTPUT).record.metrics["train"]["loss"]


def test_the_gradients(run):
    """One step from the identity filter shows both gradients."""
    weights = run(np.zeros(16)).weights
    assert (np.eye(3) - FILTER_GRADIENT).tolist() == weights["1.weight"][0, 0].tolist()
    assert (-np.array(INPUT_GRADIENT)).tolist() == weights["0.bias"][0].tolist()
