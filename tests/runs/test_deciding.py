"""A threshold from the config to predictions, reports and exports."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from click.testing import Result
from sklearn.metrics import confusion_matrix, f1_score

import nnrun
from nnrun.config.load import config_from_dict
from nnrun.data.splits import load_dataset
from nnrun.errors import ConfigError, UsageError
from nnrun.models.load import restore, weights_of
from nnrun.models.task import Decision
from nnrun.runs.preparation.prepare import prepare_again
from tests.lab import invoke

RARE: dict[str, Any] = {
    "name": "rare",
    "dataset": {
        "path": "rare.csv",
        "columns": {"target": "y"},
        "test_size": 0.3,
        "validation_size": 0.3,
    },
    "network": {"sizes": [3, 1], "activations": ["tanh", "sigmoid"]},
    "loss": "binary_cross_entropy",
    "training": {"learning_rate": 0.1, "epochs": 3, "batch_size": 8},
    "decide": {"maximize": "f1"},
}


def data(**more: Any) -> dict[str, Any]:
    """The config with other blocks."""
    return {**RARE, **more}


def rows() -> tuple[np.ndarray, np.ndarray]:
    """300 rows, a sixth of them positive."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2)).round(4)
    return x, np.where(x @ [2, -1] + rng.normal(size=300) > 2.5, "yes", "no")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the rows in a file."""
    monkeypatch.chdir(tmp_path)
    x, y = rows()
    lines = [f"{a},{b},{label}" for (a, b), label in zip(x, y, strict=True)]
    Path("rare.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    return tmp_path


def held_rows(run: nnrun.Run) -> np.ndarray:
    """The rows of a run's test split."""
    config = config_from_dict(run.record.config)
    test = prepare_again(config, load_dataset(config.dataset)).split.test
    assert test is not None
    return test.rows


def command(*words: str) -> Result:
    """What a command prints."""
    return invoke(*words)


@pytest.mark.parametrize("positive", ["yes", "no"])
@pytest.mark.parametrize("softmax", [False, True])
def test_the_threshold_is_stored_and_used(positive: str, softmax: bool) -> None:
    """By the model, its metrics and its report: for either class, with one output or two."""
    last = {"sizes": [3, 2 if softmax else 1]}
    last |= {"activations": ["tanh", "softmax" if softmax else "sigmoid"]}
    loss = "cross_entropy" if softmax else "binary_cross_entropy"
    run = nnrun.train(
        data(decide={"maximize": "f1", "positive": positive}, network=last, loss=loss)
    )
    found, (x, _) = run.record.decision, rows()

    column = list(run.classes).index(positive)
    p = run.predict_proba(x)[:, column]
    expected = np.where(p >= found["threshold"], positive, "no" if positive == "yes" else "yes")
    assert expected.tolist() == run.predict(x).tolist()
    assert expected.tolist() == nnrun.load("rare").predict(x).tolist()
    assert (positive, True, None) == (found["positive"], found["fitted"], found["note"])
    counts = found["splits"]["test"]["fitted"]
    order = [1 - column, column]
    (tn, fp), (fn, tp) = np.array(run.metrics["test"]["confusion"])[np.ix_(order, order)]
    assert (tp, fp, fn, tn) == tuple(counts[key] for key in ("tp", "fp", "fn", "tn"))
    assert run.metrics["test"]["f1"][column] == pytest.approx(counts["f1"], rel=1e-12)
    validation = found["splits"]["validation"]
    assert validation["fitted"]["f1"] >= validation["default"]["f1"]
    assert "same_bits" == nnrun.verify(run).finding


def test_the_test_split_is_not_used_to_choose() -> None:
    """Other labels of test rows change the test's counts and not the threshold."""
    run = nnrun.train(data())
    text = Path("rare.csv").read_text().splitlines()
    for row in held_rows(run):
        cells = text[row + 1].split(",")
        text[row + 1] = ",".join([*cells[:2], "no" if cells[2] == "yes" else "yes"])
    Path("rare.csv").write_text("\n".join(text) + "\n")
    other = nnrun.train(data())

    assert run.record.decision["threshold"] == other.record.decision["threshold"]
    assert run.record.decision["splits"]["test"] != other.record.decision["splits"]["test"]


def test_predict_takes_another_threshold_and_says_the_positive_class() -> None:
    """--threshold replaces the stored one; both are said; the output is what they predict."""
    run = nnrun.train(data())
    stored = command("predict", "rare", "rare.csv", "-o", "stored.csv", "--json")
    given = command("predict", "rare", "rare.csv", "-o", "given.csv", "--threshold", "0.9")

    assert ("yes", run.record.decision["threshold"]) == tuple(
        stored.json[key] for key in ("positive", "threshold")
    )
    assert "'yes' is predicted from a probability of 0.9 on" in given.err
    x, _ = rows()
    by_python = np.where(run.predict_proba(x)[:, 1] >= 0.9, "yes", "no").tolist()
    assert by_python == run.predict(x, threshold=0.9).tolist()
    written = [line.split(",") for line in Path("given.csv").read_text().splitlines()[1:]]
    assert [label for label, *_ in written] == [
        "yes" if float(p) >= 0.9 else "no" for _, _, p in written
    ]


def test_a_threshold_that_is_no_probability_is_refused() -> None:
    """On the command line with exit code 2, in Python with a UsageError, out of fold too."""
    folds = {**RARE["dataset"], "test_size": None, "folds": 2}
    run = next(iter(nnrun.sweep(data(dataset=folds)).runs()))
    refused = "the threshold nan is not a number from 0 to 1"
    for words in (["rare.csv"], ["--out-of-fold"]):
        found = command("predict", str(run.path), *words, "--threshold", "nan")
        assert (2, "", True) == (found.code, found.out, refused in found.err)
    x, _ = rows()
    for wrong in (float("nan"), 2.0, -1, "x", True):
        with pytest.raises(UsageError, match=f"the threshold {wrong!r} is not a number from 0"):
            run.predict(x, threshold=wrong)
        with pytest.raises(UsageError, match=f"the threshold {wrong!r} is not a number from 0"):
            nnrun.out_of_fold("rare", threshold=wrong)


def test_a_threshold_for_anything_but_two_classes_is_refused() -> None:
    """Three classes and values exit with 2 and say what they are."""
    quick = {"training": {"learning_rate": 0.1, "iterations": 2}}
    nnrun.train({"name": "three", "dataset": {"name": "iris"}, "loss": "cross_entropy",
                 "network": {"sizes": [3], "activations": ["softmax"]}, **quick})  # fmt: skip
    nnrun.train({"name": "values", "dataset": {"name": "boston"}, "loss": "mean_squared",
                 "network": {"sizes": [1], "activations": ["linear"]}, **quick,
                 "training": {"learning_rate": 1e-9, "iterations": 2}})  # fmt: skip
    for name, what in (("three", "3 classes"), ("values", "a regression")):
        found = command("predict", name, "rare.csv", "--threshold", "0.5")
        assert (2, f"a threshold decides between two classes, and this is {what}") == (
            found.code,
            found.err.strip().splitlines()[-1].removeprefix("error: "),
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": {**RARE["dataset"], "validation_size": 0}}, "decide: a threshold is fitted on "
         "a validation split; set dataset.validation_size"),
        ({"decide": {"maximize": "f1", "positive": "maybe"}}, "decide.positive: 'maybe' is neither "
         "of the classes no and yes"),
        ({"decide": {"maximize": "f2"}}, "decide.maximize: 'f2' is not 'f1' or 'balanced_accuracy' "
         "or 'mcc'"),
        ({"decide": {"maximize": {"recall_at_precision": 1.5}}}, "1.5 is not a number greater than "
         "0 and of at most 1"),
        ({"decide": {"maximize": "f1", "cost": {"false_positive": 1, "false_negative": 2}}},
         "decide.cost: 'maximize' says already how to decide; remove one of the two"),
        ({"decide": {"cost": {"false_positive": 1}}}, "decide.cost: cost needs 'false_negative'"),
        ({"decide": {"cost": {"false_positive": 0, "false_negative": 0}}}, "decide.cost: both "
         "costs are 0, so that every threshold costs the same; raise one"),
        ({"decide": {"maximize": "f1", "positive": 1}}, "decide.positive: '1' is neither of the "
         "classes no and yes"),
        ({"decide": {"maximize": "f1", "positive": True}}, "decide.positive: 'true' is neither of "
         "the classes no and yes"),
        ({"decide": {"maximize": "f1", "positive": [1]}}, "decide.positive: [1] is not text"),
        ({"decide": {"positive": "yes"}}, "decide: decide needs 'maximize' or 'cost'"),
        ({"decide": "f1"}, "decide: 'f1' is not a mapping like {maximize: f1}"),
        ({"network": {"sizes": [3, 2], "activations": ["tanh", "sigmoid"]}}, "decide: a threshold "
         "needs probabilities: end in softmax, or in one unit with sigmoid"),
    ],
)  # fmt: skip
def test_what_cannot_decide_is_refused_at_its_key(changes: dict, message: str) -> None:
    """Before anything is trained."""
    with pytest.raises(ConfigError) as error:
        nnrun.train(data(**changes), results=None)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("labels", "positive", "expected"),
    [
        (("0", "1"), "0", "0"),
        (("0.0", "1.0"), "1.0", "1"),
        (("0.5", "1"), "0.5", "0.5"),
        (("False", "True"), "false", "False"),
        (("False", "True"), "True", "True"),
    ],
)
def test_the_positive_class_may_be_a_number_or_a_truth_value(
    labels: tuple[str, str], positive: str, expected: str
) -> None:
    """In YAML without quotes, as it stands in the file."""
    x, y = rows()
    lines = [f"{a},{b},{labels[int(label == 'yes')]}" for (a, b), label in zip(x, y, strict=True)]
    Path("rare.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    Path("rare.yaml").write_text(json.dumps(data(decide=None)))
    done = command(
        "train", "rare.yaml", "decide.maximize=mcc", f"decide.positive={positive}", "--json"
    )

    assert 0 == done.code, done.said
    assert expected == done.json["decision"]["positive"]


@pytest.mark.parametrize(
    ("dataset", "loss", "last", "message"),
    [
        ("iris", "cross_entropy", [3, "softmax"], "between two classes; iris has 3"),
        ("boston", "mean_squared", [1, "linear"], "between classes, but boston is regression"),
    ],
)
def test_other_tasks_have_no_threshold(dataset: str, loss: str, last: list, message: str) -> None:
    """Three classes, and values."""
    changes = {
        "dataset": {"name": dataset, "validation_size": 0.2},
        "network": {"sizes": last[:1], "activations": last[1:]},
        "loss": loss,
    }
    with pytest.raises(ConfigError, match=f"decide: a threshold decides {message}"):
        nnrun.train(data(**changes), results=None)


def test_without_a_threshold_to_fit_there_is_the_default_and_a_warning() -> None:
    """A precision that is not reached leaves 0.5, and the report says so."""
    Path("rare.csv").write_text(
        "a,b,y\n" + "".join(f"1,1,{'yes' if n % 3 else 'no'}\n" for n in range(60))
    )
    aim = {"maximize": {"recall_at_precision": 1.0}}
    run = nnrun.train(data(decide=aim, training={"learning_rate": 1e-9, "iterations": 1}))
    found = run.record.decision

    assert (0.5, False) == (found["threshold"], found["fitted"])
    assert "no_threshold" in [warning["kind"] for warning in run.record.warnings]
    assert found["note"].startswith("the validation split has no threshold with a precision of 1,")
    assert found["note"].endswith("so the threshold is 0.5")
    assert found["splits"]["test"]["fitted"] == found["splits"]["test"]["default"]
    assert run.model.decision is None
    shown = command("show", "rare").out
    assert ["validation", "test"] == [
        line.split()[0]
        for line in shown.splitlines()
        if " 0.5000 " in line and line.count("  ") > 5
    ]


def test_costs_decide() -> None:
    """A missed positive that costs fifty lowers the threshold; the report has the costs."""
    costs = {"cost": {"false_positive": 1, "false_negative": 50}}
    run = nnrun.train(data(decide=costs))
    found = run.record.decision

    assert found["threshold"] < nnrun.train(data()).record.decision["threshold"]
    counts = found["splits"]["validation"]["fitted"]
    assert counts["cost"] == counts["fp"] + 50 * counts["fn"]


@pytest.mark.pytorch
@pytest.mark.parametrize("positive", ["yes", "no"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_exports_predict_by_the_threshold(positive: str, outputs: int) -> None:
    """Scripts in NumPy and PyTorch, and an ONNX file, give the labels of the run."""
    last = {
        "sizes": [3, outputs],
        "activations": ["tanh", "sigmoid" if outputs == 1 else "softmax"],
    }
    loss = "binary_cross_entropy" if outputs == 1 else "cross_entropy"
    run = nnrun.train(
        data(decide={"maximize": "mcc", "positive": positive}, network=last, loss=loss)
    )
    x, _ = rows()
    expected = run.predict(x).tolist()
    by_half = run.classes[run.predict_proba(x).argmax(axis=1)].tolist()
    assert by_half != expected

    for language in ("numpy", "pytorch"):
        assert 0 == command("export", "rare", "-o", f"{language}.py", "--code", language).code
        assert expected == runpy.run_path(f"{language}.py")["predict"](x).tolist()
    assert 0 == command("export", "rare", "-o", "model.onnx").code
    session = onnxruntime.InferenceSession("model.onnx")
    (labels,) = session.run(["prediction"], {"x": x.astype(np.float32)})
    assert expected == labels.tolist()


def test_folds_predict_each_by_its_own_threshold() -> None:
    """Out of fold, a row is decided by the run that tests it, or by --threshold for all."""
    folds = {**RARE["dataset"], "test_size": None, "folds": 3}
    board = nnrun.sweep(data(dataset=folds))
    runs = {run.config["dataset"]["fold"]: run for run in board.runs()}
    found = nnrun.out_of_fold("rare")

    thresholds = [runs[fold].record.decision["threshold"] for fold in found.fold[:, 0]]
    expected = np.where(found.probability[:, 1] >= thresholds, "yes", "no")
    assert expected.tolist() == found.prediction.tolist()
    assert len({*thresholds}) > 1
    command("predict", "rare", "--out-of-fold", "--threshold", "1", "-o", "all.csv")
    assert {"no"} == {line.split(",")[3] for line in Path("all.csv").read_text().splitlines()[1:]}
    assert {"no"} == {*nnrun.out_of_fold("rare", threshold=1.0).prediction}


def test_a_run_that_is_extended_decides_again() -> None:
    """The longer run has the threshold of one that was trained so long at once."""
    long = {**RARE["training"], "epochs": 6}
    run = nnrun.train(data())
    iterations = run.record.timing["iterations"]
    longer = nnrun.extend(run, iterations=iterations)
    straight = nnrun.train(data(training=long, name="straight"))

    assert straight.record.decision == longer.record.decision


def test_every_report_shows_the_threshold() -> None:
    """The terminal, report.md and the page have the sentence and the table."""
    run = nnrun.train(data())
    threshold = run.record.decision["threshold"]
    sentence = f"'yes' is predicted from a probability of {threshold:.6g} on"
    shown = command("show", "rare").out
    command("report", "-o", "page.html")
    page = Path("page.html").read_text().replace("&#39;", "'")

    assert sentence in " ".join(shown.split())
    assert sentence in (run.path / "report.md").read_text()
    assert sentence in page
    for text in (shown, (run.path / "report.md").read_text(), page):
        assert "TP" in text


def test_a_weighted_run_says_what_counts_rows() -> None:
    """The sentence of the threshold says it; of scores, `tests/cli/test_scores.py` asks."""
    x, y = rows()
    lines = [f"{a},{b},{n % 3},{label}" for n, ((a, b), label) in enumerate(zip(x, y, strict=True))]
    Path("rare.csv").write_text("\n".join(["a,b,w,y", *lines]) + "\n")
    columns = {"target": "y", "weight": "w"}
    run = nnrun.train(data(dataset={**RARE["dataset"], "columns": columns}))

    shown = " ".join(command("show", str(run.path)).out.split())
    assert "TP, FP, FN and TN count rows, the rest weights" in shown


def test_a_warning_beside_a_threshold_names_no_accuracy_without_it() -> None:
    """A run at the majority class's share is judged by its loss."""
    run = nnrun.train(data(training={"learning_rate": 1e-9, "iterations": 1}))
    assert run.record.warnings
    assert [] == [w["message"] for w in run.record.warnings if "accuracy" in w["message"]]


def test_a_forged_threshold_is_found() -> None:
    """A model whose stored decision no network could have is refused."""
    run = nnrun.train(data())
    values = json.loads(json.dumps(run.model.values))
    for wrong in ({"positive": 2, "threshold": 0.5}, {"positive": 1, "threshold": -1.0}):
        with pytest.raises(ValueError, match="decision"):
            restore(weights_of(run.network), {**values, "decision": wrong})


def test_f1_on_test_is_that_of_the_predictions() -> None:
    """scikit-learn's F1 and confusion of the predictions for the test rows are the report's."""
    run = nnrun.train(data())
    command("predict", "rare", "rare.csv", "-o", "p.csv")
    predicted = np.array(
        [line.split(",")[0] for line in Path("p.csv").read_text().splitlines()[1:]]
    )
    _, y = rows()
    tested = held_rows(run)
    counts = run.record.decision["splits"]["test"]["fitted"]

    expected = f1_score(y[tested], predicted[tested], pos_label="yes")
    assert expected == pytest.approx(counts["f1"], rel=1e-12)
    assert (
        confusion_matrix(y[tested], predicted[tested]).tolist() == run.metrics["test"]["confusion"]
    )


def test_only_two_classes_with_probabilities_decide() -> None:
    """From Python, a threshold for a network without probabilities is refused."""
    network = {"sizes": [2], "activations": ["linear"]}
    run = nnrun.train(data(network=network, loss="mean_squared", decide=None,
                           dataset={**RARE["dataset"], "task": "classification"}))  # fmt: skip
    with pytest.raises(UsageError, match="a network without probabilities"):
        run.model.decide(Decision(1, 0.5))
