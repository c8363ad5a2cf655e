"""`nnrun predict --score`: the metrics of the run's report."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from threadpoolctl import threadpool_limits

import nnrun as package
from nnrun.config.load import config_from_dict
from nnrun.data.splits import load_dataset
from nnrun.models import scores as measured
from nnrun.runs.preparation.prepare import prepare_again
from tests.lab import write

ROWS, TEST = 120, 40
TRAINING = "training: {learning_rate: 0.2, iterations: 60, batch_size: 4}\n"


def config(dataset: str, last: str, loss: str, more: str = "") -> str:
    """Of a network with a hidden layer."""
    units = {"softmax": 2, "softmax of 3": 3}.get(last, 1)
    network = (
        f"network: {{sizes: [3, {units}], activations: [tanh, {last.removesuffix(' of 3')}]}}\n"
    )
    return f"dataset: {{test_size: {TEST}, {dataset}}}\n{network}loss: {loss}\n{TRAINING}{more}"


OF_TABLE = "path: rows.csv, features: standard, columns: {{features: [a, b], {0}}}"
UNEQUAL = config(OF_TABLE.format("target: label"), "softmax", "cross_entropy")
WEIGHTED = config(
    OF_TABLE.format("target: label, weight: w, formats: {w: 1.5 kg}"), "softmax", "cross_entropy"
)
DECIDED = config(
    OF_TABLE.format("target: label") + ", validation_size: 30",
    "sigmoid",
    "binary_cross_entropy",
    "decide: {maximize: f1, positive: yes}\nmetrics: [f1_binary, roc_auc]\n",
)
SEVERAL = config(
    OF_TABLE.format("target: kind"),
    "softmax of 3",
    "cross_entropy",
    "metrics: [roc_auc, top_2_accuracy]\n",
)
VALUES = config(
    "path: rows.npz, target: standard",
    "linear",
    "mean_squared",
    "metrics: [median_ae, spearman, pinball_90]\n",
)


def table() -> list[list[str]]:
    """Rows with a rare label, three kinds and weights."""
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(ROWS, 2)), rng.normal(size=(ROWS, 2)) / 2
    labels = np.where(x[:, 0] + noise[:, 0] > 1, "yes", "no")
    kinds = np.digitize(x[:, 1] + noise[:, 1], [-0.5, 0.5])
    weights = rng.integers(0, 5, ROWS) / 2
    rows = zip(x.tolist(), weights, labels, kinds, strict=True)
    return [[*map(repr, ab), f"{w} kg", label, "lmh"[kind]] for ab, w, label, kind in rows]


def save(name: str, rows: list[list[str]], header: str = "a,b,w,label,kind") -> None:
    write(name, "\n".join([header, *(",".join(row) for row in rows), ""]))


def save_arrays(name: str, rows: slice | np.ndarray) -> None:
    rng = np.random.default_rng(1)
    x, noise = rng.normal(size=(ROWS, 3)), rng.normal(size=ROWS)
    np.savez(name, x=x[rows], y=(50 + 7 * x[:, 0] - x[:, 1] ** 2 + noise)[rows])


def score(lab, file: str, *words: str) -> dict[str, object]:
    """The score of the run for the rows of a file, as data."""
    return lab.json("predict", "judged", file, "--score", "-o", "out.csv", *words)["score"]


def judged(text: str) -> tuple[package.Run, list[int]]:
    """A run, and the places of its test rows in its file."""
    save("rows.csv", table())
    save_arrays("rows.npz", slice(None))
    run = package.train(write("judged.yaml", text))
    resolved = config_from_dict(run.record.config)
    test = prepare_again(resolved, load_dataset(resolved.dataset)).split.test
    return run, test.rows.tolist()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (UNEQUAL, ["balanced_accuracy", "roc_auc"]),
        (WEIGHTED, ["balanced_accuracy", "roc_auc"]),
        (DECIDED, ["f1_binary", "roc_auc"]),
        (SEVERAL, ["roc_auc", "top_2_accuracy"]),
        (VALUES, ["median_ae", "spearman", "pinball_90"]),
    ],
)
def test_the_score_of_the_test_rows_is_that_of_the_report(text, names, lab):
    """All its metrics but the loss: by default and by name, with weights and the threshold."""
    run, rows = judged(text)
    of_table = "csv" in text
    if of_table:
        save("new.csv", [table()[row] for row in rows])
    else:
        save_arrays("new.npz", np.array(rows))
    file = "new.csv" if of_table else "new.npz"
    found = score(lab, file)
    expected = {key: value for key, value in run.metrics["test"].items() if key != "loss"}

    assert [*expected] == [*found]
    assert {*names} <= {*found}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-12, err_msg=name)


ERRORS = ("rmse", "mae", "median_ae", "max_error", "pinball_90")
FITTED = (
    config(
        "path: rows.npz, target: standard, features: standard",
        "linear",
        "mean_squared",
        "metrics: [median_ae, max_error, pinball_90]\n",
    )
    .replace("sizes: [3,", "sizes: [64, 64,")
    .replace("activations: [tanh,", "activations: [tanh, tanh,")
    .replace("iterations: 60", "optimizer: adam, iterations: 400")
    .replace("learning_rate: 0.2", "learning_rate: 0.003")
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("dtype", "precision"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_errors_agree_to_the_precision_of_predictions(engine, dtype, precision, seed, lab):
    """Of the target's scale, whatever an error is itself; one thread of NumPy has the same bits."""
    chosen = f"training: {{engine: {engine}, dtype: {dtype}, "
    run, rows = judged(FITTED.replace("training: {", chosen) + f"seed: {seed}\n")
    save_arrays("new.npz", np.array(rows))
    with threadpool_limits(1):
        done = lab("predict", "judged", "new.npz", "--score", "--json", "-o", "out.csv")
    found, expected = done.json["score"], run.metrics["test"]
    with np.load("rows.npz") as arrays:
        scale = np.abs(arrays["y"]).max()
    for name in ERRORS:
        assert abs(found[name] - expected[name]) <= precision * scale, name
    if engine == "numpy":
        assert {**found, "loss": expected["loss"]} == expected


def test_the_score_is_that_of_scikit_learn(lab):
    """From the predictions that the command writes."""
    judged(UNEQUAL)
    shown = lab("predict", "judged", "rows.csv", "--score", "-o", "out.csv").out
    found = score(lab, "rows.csv")
    y = [row[3] for row in table()]
    out = [*csv.DictReader(Path("out.csv").read_text().splitlines())]

    predicted, probability = (
        [row["prediction"] for row in out],
        [float(row["p_yes"]) for row in out],
    )
    assert balanced_accuracy_score(y, predicted) == pytest.approx(found["balanced_accuracy"])
    area = roc_auc_score(np.array(y) == "yes", probability)
    assert area == pytest.approx(found["roc_auc"], rel=1e-12)
    assert f"ROC AUC {area:.4f}" in " ".join(shown.split())


def test_a_score_of_one_class_alone_names_it(lab):
    """As the report does."""
    judged(DECIDED)
    done = lab("predict", "judged", "rows.csv", "--score", "-o", "out.csv")
    assert "F1 binary is of class yes" in done.err.splitlines()


def test_a_metric_that_a_file_leaves_undefined_says_why(lab):
    """A class without rows; the others are there."""
    judged(SEVERAL)
    save("new.csv", [row for row in table() if row[4] != "m"])
    done = lab("predict", "judged", "new.csv", "--score", "-o", "out.csv")
    found = score(lab, "new.csv")

    assert (0, None) == (done.code, found["roc_auc"])
    assert {"roc_auc": "there are rows of 2 of 3 classes"} == found["undefined"]
    assert found["top_2_accuracy"] > 0
    assert "ROC AUC undefined" in " ".join(done.out.split())
    assert "ROC AUC is undefined: there are rows of 2 of 3 classes" in done.err


def test_the_metric_of_a_plugin_that_is_not_loaded_is_undefined(lab):
    """The file is predicted all the same, as without a score."""
    plugin = write(
        "mine.py",
        "from nnrun.plugins import register\n"
        "@register('metric', 'wrong', needs='labels', larger_is_better=False)\n"
        "def wrong(y, p):\n    return float((y != p).mean())\n",
    )
    save("rows.csv", table())
    judged = write("judged.yaml", UNEQUAL + "metrics: [wrong]\n")
    lab.ok("train", judged, "--plugin", plugin)
    found = score(lab, "rows.csv", "--plugin", plugin)
    assert found["wrong"] == pytest.approx(1 - found["accuracy"])
    found = score(lab, "rows.csv")
    assert {"wrong": "it is of a plugin that is not loaded"} == found["undefined"]


def test_no_rows_have_no_metrics(lab):
    """Not one of them is an error."""
    judged(UNEQUAL)
    save("new.csv", [])
    names = ("accuracy", "log_loss", "balanced_accuracy", "roc_auc")
    found = score(lab, "new.csv")
    assert dict.fromkeys(names, "there are no rows") == found["undefined"]


def test_of_more_rows_than_are_kept_the_sums_are_given(lab, monkeypatch):
    """Other metrics are undefined, with the reason; those that are summed up are the same."""
    judged(UNEQUAL)
    whole = score(lab, "rows.csv")
    row = 3 * 8  # two probabilities and a class
    monkeypatch.setattr(measured, "KEPT_BYTES", ROWS * row)
    assert whole == score(lab, "rows.csv")
    monkeypatch.setattr(measured, "KEPT_BYTES", ROWS * row - 1)
    found = score(lab, "rows.csv")

    reason = (
        "it takes all 120 rows at once, and their outputs are more than the 0.002879 MB that are "
        "kept"
    )
    undefined = found.pop("undefined")
    assert {"balanced_accuracy": reason, "roc_auc": reason} == undefined
    assert {**whole, **dict.fromkeys(undefined)} == found


def test_rows_are_kept_for_metrics_that_take_all(monkeypatch):
    """What batches add is what all rows at once give."""
    run, _ = judged(WEIGHTED)
    task, rng = run.model.task, np.random.default_rng(2)
    outputs, y = rng.dirichlet([1, 1], 50), rng.integers(2, size=50)
    weight = rng.random(50)
    found = measured.Measured(task, ["roc_auc", "mcc"])
    for part in np.array_split(np.arange(50), 7):
        found.add(outputs[part], y[part], weight[part])

    whole = measured.measured(task, outputs, y, ["roc_auc", "mcc"], weight)
    assert (whole["roc_auc"], whole["mcc"]) == (found.metrics()["roc_auc"], found.metrics()["mcc"])


@pytest.mark.parametrize("way", ["--score", "--skip-bad"])
def test_weights_count_where_the_file_has_them(way, lab):
    """A wrong one is a wrong cell; without the column rows count once, with a note."""
    judged(WEIGHTED)
    rows = table()
    save("new.csv", [row[:2] + row[3:] for row in rows], "a,b,label,kind")
    done = lab("predict", "judged", "new.csv", "--score")
    note = "the score counts every row once; the run's own metrics are by weights"
    assert (0, True) == (done.code, note in done.err)
    save("new.csv", rows)
    words = ("--score", "--json", "-o", "out.csv")
    good = lab("predict", "judged", "new.csv", *words)
    assert note not in good.err
    save("new.csv", [*rows, ["1", "1", "-1 kg", "yes", "l"]])
    if way == "--score":
        done = lab("predict", "judged", "new.csv", *words)
        message = "new.csv:122:w: '-1 kg' is negative, and no weight can be"
        assert (2, True) == (done.code, message in done.err)
        return
    done = lab("predict", "judged", "new.csv", "--skip-bad", "bad.csv", *words)
    assert good.json["score"] == done.json["score"]
    assert "122,\"w: '-1 kg' is negative" in Path("bad.csv").read_text()
