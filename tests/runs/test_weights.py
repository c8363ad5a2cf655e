"""Weights of runs, their evaluation on rows, and smoothed labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, explained_variance_score, r2_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import scale
from sklearn.utils.class_weight import compute_class_weight

import nnrun
from nnrun.errors import ConfigError
from nnrun.models.load import load_model
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lifecycle import train
from nnrun.runs.verify import verify

# Weights of rows and classes from the file and the config to the report.

CONFIG: dict[str, Any] = {
    "name": "weights",
    "dataset": {"path": "data.csv", "columns": {"target": "y", "weight": "w"}, "test_size": 0},
    "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.5, "iterations": 10, "sampling": "in_order"},
}
WEIGHTS = np.array([2, 0, 1, 1, 3, 1, 1, 2, 1, 4, 1, 1])
ROWS = len(WEIGHTS)


pytestmark = pytest.mark.usefixtures("folder")


def write(weights: Any, times: Any = 1, target: str = "class") -> int:
    """A file of rows with these weights, each this many times; the number of its rows."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(ROWS, 2)).round(3), np.arange(ROWS) % 3
    values = rng.normal(size=ROWS).round(3)
    lines = ["a,w,b,y"]
    for row in np.repeat(np.arange(ROWS), times):
        y = values[row] if target == "value" else f"class {labels[row]}"
        lines.append(f"{x[row, 0]},{weights[row]},{x[row, 1]},{y}")
    Path("data.csv").write_text("\n".join(lines) + "\n")
    return len(lines) - 1


def config(**training: Any) -> dict[str, Any]:
    """The config, with these settings of training."""
    return {**CONFIG, "training": {**CONFIG["training"], **training}}


def trained(data: dict[str, Any]) -> nnrun.Run:
    """A run that is not saved."""
    return nnrun.train(data, results=None)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"class 0": 5, "class 2": 0.5}])
def test_a_weight_of_two_is_the_row_twice(engine: str, class_weight: Any) -> None:
    """Weights, losses and metrics of a run are those of one with repeated rows, to 1e-12."""
    runs = []
    for weights, times in ((WEIGHTS, 1), (np.ones(ROWS), WEIGHTS)):
        rows = write(weights, times)
        runs.append(trained(config(engine=engine, batch_size=rows, class_weight=class_weight)))
    weighted, repeated = runs

    np.testing.assert_allclose(weighted.network.theta, repeated.network.theta, rtol=0, atol=1e-12)
    for name in ("train_loss", "train_accuracy"):
        np.testing.assert_allclose(weighted.history[name], repeated.history[name], rtol=1e-12)
    for part in ("metrics", "baseline"):
        found, expected = (getattr(run.record, part)["train"] for run in runs)
        for name in ("loss", "accuracy", "log_loss", "precision", "recall", "f1"):
            assert expected[name] == pytest.approx(found[name], rel=1e-12)


def test_balanced_is_that_of_scikit_learn() -> None:
    """By rows and their weights; the report has the factors, and what the weights are."""
    write(WEIGHTS)
    found = trained(config(class_weight="balanced")).record.dataset
    labels = np.arange(ROWS) % 3

    expected = compute_class_weight(
        "balanced", classes=np.arange(3), y=labels, sample_weight=WEIGHTS
    )
    np.testing.assert_allclose([*found["class_weight"].values()], expected, rtol=1e-15)
    assert ["class 0", "class 1", "class 2"] == [*found["class_weight"]]
    assert {"sum": 18.0, "min": 0.0, "max": 4.0} == found["weights"]["train"]
    assert "w" == found["weights"]["column"]
    assert 2 == found["n_features"]


def test_classes_alone_change_the_loss_and_no_metric() -> None:
    """The loss of a weighted run is the weighted mean; log_loss counts rows as they are."""
    write(np.ones(ROWS))
    found = trained(config(class_weight={"class 0": 7})).metrics["train"]
    plain = trained(config(class_weight={"class 0": 1})).metrics["train"]

    assert plain["log_loss"] == pytest.approx(plain["loss"], rel=1e-12)
    assert abs(found["loss"] - found["log_loss"]) > 0.01


def by_time(task: str, seed: int, constant: bool = False) -> tuple[pd.DataFrame, dict[str, Any]]:
    """120 rows with weights of 1 to 3, the last 30 for testing; the config of a network for them.

    The target of the last 30 may be constant.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(120, 2))
    y = x[:, 0] + rng.normal(size=120) if task == "values" else rng.choice(["no", "yes"], 120)
    if constant:
        y[90:] = 1.25
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "t": range(120), "y": y})
    table["w"] = rng.integers(1, 4, 120)
    table.to_csv("data.csv", index=False)
    split = {"split": {"by": "time", "column": "t"}, "test_size": 30}
    data = CONFIG | {"dataset": {**CONFIG["dataset"], **split}}
    sigmoid = task != "values"
    data["network"] = {"sizes": [1], "activations": ["sigmoid" if sigmoid else "linear"]}
    data["loss"] = "binary_cross_entropy" if sigmoid else "mean_squared"
    data["metrics"] = ["mcc"] if sigmoid else ["median_ae", "explained_variance"]
    return pd.read_csv("data.csv"), data


@pytest.mark.parametrize("constant", [False, True])
def test_metrics_of_values_are_those_by_the_weights_of_the_file(constant: bool) -> None:
    """Also at an exact half of the weights, and of a constant target."""
    for seed in range(8):
        table, data = by_time("values", seed, constant)
        run, tested = trained(data), table[90:]
        predicted = run.predict(tested)
        twice = np.repeat(np.abs(tested.y - predicted), tested.w)
        found = run.metrics["test"]

        assert np.median(twice) == pytest.approx(found["median_ae"], rel=1e-12)
        for name, score in (("r2", r2_score), ("explained_variance", explained_variance_score)):
            expected = score(tested.y, predicted, sample_weight=tested.w)
            assert expected == pytest.approx(found[name], rel=1e-12)


def test_a_constant_prediction_has_the_coefficient_of_scikit_learn() -> None:
    """Matthews' is 0 for every seed, not undefined by rounding."""
    for seed in range(8):
        data = by_time("classes", seed)[1]
        data["training"] = {**data["training"], "iterations": 200, "class_weight": {"yes": 0}}
        run = trained(data)
        assert {0.0} == {run.metrics[split]["mcc"] for split in ("train", "test")}


def test_the_baseline_of_equal_classes_is_the_first() -> None:
    """By sums of weights, where rounding must not decide."""
    write([6, 7, 2, 5, 1, 7, 5, 6, 6, 2, 4, 3])
    found = trained(CONFIG).record.baseline["train"]["confusion"]
    assert [[4, 0, 0]] * 3 == found


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("-1", "'-1' is negative, and no weight can be"),
        ("x", "'x' is not a number, and the weight of a row has to be one"),
        ("nan", "'nan' stands for a missing value; `columns: {missing: {w: drop_rows}}` leaves "
                "such rows out, no weight is filled in"),
        ("inf", "'inf' is not a finite number"),
        ("1e307", "'1e307' is neither 0 nor from 1e-50 to 1e+50; divide all weights by the same "
                  "number"),
        ("1e-300", "'1e-300' is neither 0 nor from 1e-50 to 1e+50; divide all weights by the same "
                   "number"),
    ],
)  # fmt: skip
def test_cells_that_are_no_weights_are_refused_at_their_place(cell: str, message: str) -> None:
    """With file, line and column."""
    write([cell if row == 3 else 1 for row in range(ROWS)])
    with pytest.raises(ConfigError, match=r"this data set cannot be used") as error:
        trained(CONFIG)
    assert str(error.value).splitlines()[-1].endswith(f"data.csv:5:w: {message}")


@pytest.mark.parametrize(
    ("columns", "training", "message"),
    [
        ({"weight": "v"}, {}, "dataset.columns.weight: there is no column 'v'"),
        ({"features": ["a", "w"]}, {}, "dataset.columns.features[1]: the weight 'w' cannot be a "
                                       "feature too"),
        ({"weight": "y"}, {}, "dataset.columns.weight: this is the target"),
        ({"drop": ["w"]}, {}, "dataset.columns.weight: 'w' is dropped, so it cannot be used here"),
        ({"missing": {"w": {"impute": "mean"}}}, {}, "no weight is filled in; leave such rows out "
                                                     "with w: drop_rows"),
        ({}, {"class_weight": {"class 3": 1}}, "training.class_weight.class 3: 'class 3' is no "
                                               "class; the classes are class 0, class 1, class 2"),
        ({}, {"class_weight": {"class 0": -1}}, "-1 is not a number of at least 0"),
        ({}, {"class_weight": {"class 0": 1e308}}, "1.0e+308 is not a number of at least 0 "
                                                   "and of at most 1e+50"),
        ({}, {"class_weight": "balance"}, "training.class_weight: 'balance' is not 'balanced'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_at_its_key(
    columns: dict, training: dict, message: str
) -> None:
    """Before anything is trained."""
    write(np.ones(ROWS))
    data = config(**training)
    block = {"target": "y", "weight": "w", **columns}
    with pytest.raises(ConfigError) as error:
        trained({**data, "dataset": {**data["dataset"], "columns": block}})
    assert message in str(error.value)


def test_rows_that_all_weigh_nothing_are_refused() -> None:
    """By the column or by the class, naming the split."""
    write(np.zeros(ROWS))
    with pytest.raises(ConfigError, match="every row of the train split has a weight of 0"):
        trained(CONFIG)
    write(np.ones(ROWS))
    nothing = dict.fromkeys(["class 0", "class 1", "class 2"], 0)
    with pytest.raises(ConfigError, match=r"class_weight: every row of the train split"):
        trained(config(class_weight=nothing))


def test_values_have_no_class_weights() -> None:
    """A regression with class_weight is refused at the key."""
    write(np.ones(ROWS), target="value")
    data = config(class_weight="balanced") | {"loss": "mean_squared"}
    data |= {"network": {"sizes": [3, 1], "activations": ["tanh", "linear"]}}
    with pytest.raises(ConfigError, match=r"training.class_weight: there are no classes"):
        trained(data)


@pytest.mark.parametrize("model", ["linear", "boosting", "neighbors"])
def test_models_of_scikit_learn_count_rows_by_their_weights(model: str) -> None:
    """They are fitted with them, where they can be, and scored by them; classes have none there."""
    write(WEIGHTS, times=np.full(ROWS, 3))
    block = {key: CONFIG[key] for key in ("name", "dataset")}
    run = nnrun.train({**block, "beside": model}, results=None)
    rows = np.loadtxt("data.csv", delimiter=",", skiprows=1, usecols=(0, 1, 2))
    x, w, y = rows[:, ::2], rows[:, 1], np.repeat(np.arange(ROWS) % 3, 3)
    expected = {
        "linear": lambda: LogisticRegression(max_iter=1000).fit(scale(x), y, sample_weight=w),
        "boosting": lambda: HistGradientBoostingClassifier(random_state=42).fit(x, y, w),
        "neighbors": lambda: KNeighborsClassifier().fit(scale(x), y),
    }[model]()
    predicted = expected.predict(x if model == "boosting" else scale(x))

    assert accuracy_score(y, predicted, sample_weight=w) == pytest.approx(
        run.metrics["train"]["accuracy"], rel=1e-12
    )
    assert "w" == run.record.dataset["weights"]["column"]
    board = nnrun.sweep(config(batch_size=4, class_weight="balanced"), beside=[model])
    assert not board.failures


def test_a_sweep_over_class_weights_verifies_and_extends() -> None:
    """Two settings on one board, told apart by the key; their runs verify and continue."""
    write(WEIGHTS)
    board = nnrun.sweep(config(batch_size=4), {"training.class_weight": [None, "balanced"]})
    plain, balanced = board.runs()

    assert 1 == len(board.groups)
    choices = [row.choice["training.class_weight"] for row in board.groups[0].rows]
    assert {None, "balanced"} == set(choices)
    assert not np.array_equal(plain.network.theta, balanced.network.theta)
    assert "same_bits" == nnrun.verify(balanced).finding
    longer = nnrun.extend(balanced, iterations=10)
    straight = trained(config(batch_size=4, class_weight="balanced", iterations=20))
    assert straight.network.theta.tolist() == longer.network.theta.tolist()


# Runs whose evaluations on the way take part of the rows.


def test_small_sets_are_evaluated_whole(prepared):
    """So the default changes neither their ids nor their histories."""
    default = prepared()
    assert None is default.evaluate_rows
    assert {} == default.parts
    assert default.run_id == prepared(None, "training.evaluate_rows=all").run_id
    assert default.run_id == prepared(None, "training.evaluate_rows=10000").run_id
    assert default.run_id != prepared(None, "training.evaluate_rows=9").run_id


def test_the_history_says_on_how_many_rows(prepared, store):
    """And the run is verified, bit by bit."""
    outcome = train(prepared(None, "training.evaluate_rows=40"), store)
    lines = (outcome.folder / "history.csv").read_text().splitlines()
    place = lines[0].split(",").index("train_rows")
    assert ["40", "40", "96"] == [lines[row].split(",")[place] for row in (1, -2, -1)]
    assert "same_bits" == verify(outcome.folder).finding


# Smoothed labels: only what training minimizes is smoothed.

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
