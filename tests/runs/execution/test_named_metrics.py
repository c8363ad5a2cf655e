"""Metrics that a config names: at the end of a run, on the way, and where classes are unequal."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from nnrun.reports.summary import metric_notes, metrics_of
from nnrun.runs.lifecycle import train
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import load_history
from nnrun.runs.storage.validation import invalid_part
from nnrun.runs.verify import verify

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
        metrics_of(train(rare("training.iterations=1", *more), None).record)
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
