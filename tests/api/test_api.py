"""nnrun from Python, and callbacks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nnrun
from nnrun.errors import ConfigError, DataError, NnrunError, UsageError
from nnrun.models.load import load_model
from nnrun.nn import Network
from nnrun.runs.lease import RunLease
from tests.lab import invoke

# nnrun from Python: runs and leaderboards as values, mistakes as the command line tells them.

IRIS = {
    "name": "flowers",
    "dataset": {"name": "iris", "features": "standard"},
    "network": {"sizes": (4, np.int64(3)), "activations": ["tanh", "softmax"]},
    "loss": "cross_entropy",
    "training": {"learning_rate": np.float64(0.05), "iterations": 200, "batch_size": 8},
    "seed": 3,
}
YAML = """
name: flowers
dataset: {name: iris, features: standard}
network: {sizes: [4, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 200, batch_size: 8}
seed: 3
"""
HOUSES = {
    "name": "houses",
    "dataset": {
        "path": "houses.csv",
        "columns": {"target": "price", "categorical": ["kind"]},
        "unknown": "error",
        "task": "regression",
        "features": "standard",
    },
    "network": {"sizes": [4, 1], "activations": ["tanh", "linear"]},
    "loss": "mean_squared",
    "training": {"learning_rate": 0.01, "iterations": 50},
}
WILD = {
    "name": "wild",
    "dataset": {"name": "boston"},
    "network": {"sizes": [5, 1], "activations": ["tanh", "linear"]},
    "loss": "mean_squared",
    "training": {"learning_rate": 10.0, "iterations": 2000},
}
FLOWER = [[5.1, 3.5, 1.4, 0.2], [6.3, 2.9, 5.6, 1.8]]


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def houses(folder):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=60), "age": rng.normal(size=60)})
    frame["kind"] = ["flat", "house"] * 30
    frame["price"] = frame["size"] * 3 + (frame["kind"] == "flat")
    frame.to_csv("houses.csv", index=False)
    return frame


def test_a_file_a_dictionary_and_the_command_line_are_the_same_run(folder):
    """Same id, same weights, same numbers, whichever way the config comes in."""
    Path("flowers.yaml").write_text(YAML)
    invoke("train", "flowers.yaml", "--results", "cli")
    shell = nnrun.load("latest", results="cli")
    file = nnrun.train("flowers.yaml", results="file")
    content = nnrun.train(IRIS, results=None)
    for other in (file, content):
        assert shell.run_id == other.run_id
        assert shell.record.weights_sha256 == other.record.weights_sha256
        assert shell.metrics == other.metrics
        assert shell.history.rows() == other.history.rows()
    assert (Path("file/flowers") / file.run_id, None) == (file.path, content.path)
    assert ["cli", "file", "flowers.yaml"] == sorted(os.listdir(folder))


def test_a_run_says_what_its_report_says():
    """Status, numbers, config and curve; arrays for columns."""
    run = nnrun.train(IRIS, {"training.iterations": 100}, seed=5)
    assert ("completed", None, 5, "flowers") == (run.status, run.error, run.seed, run.name)
    assert run.metrics["test"]["accuracy"] == run.history["test_accuracy"][-1]
    assert 100 == run.config["training"]["iterations"]
    np.testing.assert_array_equal(np.arange(5, 101, 5), run.history["iteration"])
    assert np.integer in type(run.history["iteration"][0]).__mro__
    frame = run.history.to_frame()
    assert list(run.history) == list(frame.columns)
    np.testing.assert_array_equal(run.history["train_loss"], frame["train_loss"])
    with pytest.raises(KeyError, match="there are iteration, epoch"):
        run.history["tset_loss"]


def test_a_watched_run_has_its_record_in_memory_and_from_disk():
    """The same arrays; a run that is not watched has none."""
    run = nnrun.train(IRIS, {"training.iterations": 100, "training.watch": True})
    stored = nnrun.load(run.path)
    assert [*range(0, 101, 5)] == run.watched.iterations == stored.watched.iterations
    for name, array in run.watched.arrays.items():
        np.testing.assert_array_equal(array, stored.watched.arrays[name])
    assert nnrun.train(IRIS, {"training.iterations": 50}).watched is None


def test_a_run_predicts_the_same_in_memory_and_from_disk():
    """Labels and probabilities for raw rows; the network's own outputs for prepared ones."""
    kept, fresh = nnrun.train(IRIS), nnrun.train(IRIS, results=None)
    again = nnrun.load(kept.path)
    model = load_model(kept.path)
    for trained in (kept, fresh, again):
        np.testing.assert_array_equal(model.predict(FLOWER), trained.predict(FLOWER))
        np.testing.assert_array_equal(model.predict_proba(FLOWER), trained.predict_proba(FLOWER))
        np.testing.assert_array_equal(["setosa", "versicolor", "virginica"], trained.classes)
        assert isinstance(trained.network, Network)
        np.testing.assert_array_equal(model.network.theta, trained.network.theta)
    prepared = fresh.model.preprocessing.transform_x(np.array(FLOWER))
    np.testing.assert_array_equal(fresh.predict_proba(FLOWER), fresh.network.predict(prepared))


def test_the_columns_of_a_table_are_found_by_their_names(houses):
    """Whatever their order, categories and all; what is missing is named, and what is no number."""
    run = nnrun.train(HOUSES)
    kinds = houses["kind"].to_numpy()[:, None] == np.array(["flat", "house"])
    rows = np.hstack([houses[["size", "age"]].to_numpy(), kinds])
    expected = run.predict(rows)
    np.testing.assert_array_equal(expected, run.predict(houses))
    np.testing.assert_array_equal(expected, run.predict(houses[["kind", "price", "age", "size"]]))
    with pytest.raises(DataError, match="the table has no column 'age'; did you mean 'aeg'"):
        run.predict(houses.rename(columns={"age": "aeg"}))
    other = houses.rename(columns={"size": "a", "age": "b", "kind": "c"})[["a", "b", "c"]]
    with pytest.raises(DataError) as caught:
        run.predict(other)
    there = "its columns are a, b, c"
    assert f"the table has no column 'size', 'age', 'kind'; {there}" == str(caught.value)
    spoilt = houses.assign(kind=["flat", "tent"] * 30, age=[None, *houses["age"][1:]])
    with pytest.raises(DataError) as caught:
        run.predict(spoilt)
    assert "row 0, column 'age': " in str(caught.value)
    assert "row 1, column 'kind': 'tent' is none of the categories in training: flat, house" in str(
        caught.value
    )


@pytest.fixture
def codes(folder):
    """A run on categories that look like numbers, one beside them that does not."""
    rows = "1,1\n7,2\nx,3\n007,4\n0.50,5\n" * 8
    Path("codes.csv").write_text(f"k,y\n{rows}")
    dataset = {"path": "codes.csv", "columns": {"target": "y", "categorical": ["k"]}}
    dataset["unknown"] = "error"
    return nnrun.train(
        {
            "dataset": {**dataset, "task": "regression", "test_size": 0},
            "network": {"sizes": [1], "activations": ["linear"]},
            "loss": "mean_squared",
            "training": {"learning_rate": 0.05, "epochs": 20, "batch_size": 8},
            "name": "codes",
        },
        results=None,
    )


def test_categories_are_the_texts_of_the_training_file(codes):
    """By frames and arrays as by files: what is spelled in another way is another category."""
    encoded = codes.predict(np.eye(5))  # 0.50, 007, 1, 7, x
    texts = ["007", "7", "1", "x", "0.50"]
    expected = encoded[[1, 3, 2, 4, 0]].tolist()
    assert expected == codes.predict(pd.DataFrame({"k": texts})).tolist()
    assert expected == codes.predict(np.array([[text] for text in texts])).tolist()
    assert expected == codes.predict([[text] for text in texts]).tolist()
    assert [encoded[2]] == codes.predict(pd.DataFrame({"k": [1]})).tolist()
    for strange in ("7.0", "0.5", "07"):
        for rows in (pd.DataFrame({"k": [strange]}), np.array([[strange]])):
            with pytest.raises(DataError, match=f"row 0, column 'k': '{strange}' is none of the"):
                codes.predict(rows)


def test_numbers_that_may_be_several_categories_are_refused(codes):
    """pandas makes 7 of 7 and 007, and 0.5 of 0.50: it is asked for text."""
    text = r"read the column as text, as with pandas.read_csv\(…, dtype={'k': str}\)"
    with pytest.raises(DataError, match="row 1, column 'k': the number 7 may be .* '7'; " + text):
        codes.predict(pd.DataFrame({"k": [1, 7]}))
    with pytest.raises(DataError, match="row 0, column 'k': '0.5' is none of .*; " + text):
        codes.predict(pd.DataFrame({"k": [0.5]}))


def test_codes_in_place_of_one_hot_columns_are_refused(codes):
    """A number that is neither 0 nor 1 nor between them."""
    message = "row 1 has 7.0 in the one-hot column 'k=1', where 0 and 1 belong"
    with pytest.raises(DataError, match=message):
        codes.predict([[0, 0, 1, 0, 0], [0, 0, 7.0, 0, 0]])


def test_missing_cells_of_pandas_are_blank_cells(folder):
    """None, NaN and NA, of numbers and of categories, are what training fills in."""
    Path("codes.csv").write_text("a,k,y\n" + "1,p,1\n,q,2\n3,,3\n" * 8)
    config = {**HOUSES, "name": "codes"}
    config["dataset"] = {
        "path": "codes.csv", "columns": {"target": "y", "categorical": ["k"]},
        "task": "regression", "missing": {"impute": "mean"}, "test_size": 0,
    }  # fmt: skip
    run = nnrun.train(config, results=None)
    expected = run.predict(np.array([["", ""]]))
    for nothing in (None, np.nan, pd.NA, pd.NaT):
        frame = pd.DataFrame({"a": [nothing], "k": [nothing]}, dtype=object)
        assert expected.tolist() == run.predict(frame).tolist()


def test_tables_without_names_count_their_columns(houses):
    """As an array does."""
    run = nnrun.train(IRIS)
    np.testing.assert_array_equal(run.predict(FLOWER), run.predict(pd.DataFrame(FLOWER)))


def test_a_diverged_run_is_a_value_too():
    """Its status and its reason; there is no network to use."""
    run = nnrun.train(WILD, results=None)
    assert "diverged" == run.status
    assert run.error
    with pytest.raises(UsageError, match="no trained model is kept"):
        run.predict(FLOWER)
    assert "diverged" in run._repr_html_()


@pytest.mark.parametrize(
    ("changes", "overrides", "expected"),
    [
        (
            {"network": {"sizes": [4, 3], "activations": ["tnah", "softmax"]}},
            {},
            "network.activations[0]: 'tnah' is not an activation; did you mean 'tanh'?",
        ),
        ({"sead": 3}, {}, "sead: 'sead' is not a key of the config; did you mean 'seed'?"),
        ({"loss": object()}, {}, "loss: a value of type object cannot stand in a config"),
        ({3: 4}, {}, "the key 3 is not a string"),
        (
            {},
            {"training.learning_rate": "fast"},
            "argument 'training.learning_rate=fast': training.learning_rate: 'fast' is not",
        ),
        ({"network": {"sizes": [4, 2], "activations": ["tanh", "softmax"]}}, {}, "network.sizes"),
    ],
)
def test_a_mistake_names_its_dotted_key(folder, changes, overrides, expected):
    """There is no line to point at; the words are those of the command line."""
    with pytest.raises(ConfigError) as caught:
        nnrun.train({**IRIS, **changes}, overrides)
    assert expected in str(caught.value)
    assert [] == os.listdir(folder)


def test_mistakes_of_a_file_are_reported_as_by_the_command_line():
    """Word for word."""
    Path("wrong.yaml").write_text(YAML.replace("tanh", "tnah").replace("seed: 3", "sead: 3"))
    done = invoke("train", "wrong.yaml")
    with pytest.raises(ConfigError) as caught:
        nnrun.train("wrong.yaml")
    assert done.err.strip() == str(caught.value)
    with pytest.raises(ConfigError, match=r"there is no such file; did you mean 'wrong\.yaml'"):
        nnrun.check("worng.yaml")


def test_a_config_that_holds_itself_is_reported():
    """And does not go on for ever."""
    config = dict(IRIS)
    config["dataset"] = config
    with pytest.raises(ConfigError, match=r"dataset: this holds itself"):
        nnrun.train(config)


def test_nothing_is_changed_in_what_is_passed_in():
    """Overrides are applied to a copy."""
    config = {**IRIS, "training": dict(IRIS["training"])}
    nnrun.train(config, {"training.iterations": 10, "training.batch_size": 4}, results=None)
    assert 200 == config["training"]["iterations"]
    assert {"learning_rate", "iterations", "batch_size"} == set(config["training"])


def test_check_says_what_a_run_will_be(folder):
    """Without training it, or writing anything."""
    checked = nnrun.check(IRIS, gradients=True)
    assert (200, 4 * 4 + 4 + 4 * 3 + 3) == (checked.iterations, checked.network["parameters"])
    assert checked.gradients_agree
    assert nnrun.train(IRIS, results=None).run_id == checked.run_id
    assert [] == os.listdir(folder)


def test_runs_are_loaded_by_their_names():
    """As on the command line; what is missing is reported."""
    kept = nnrun.train(IRIS)
    for word in ("latest", "flowers", f"flowers/{kept.run_id[:4]}", str(kept.path)):
        assert kept.record == nnrun.load(word).record
    with pytest.raises(UsageError, match="is called 'flower'; did you mean 'flowers'"):
        nnrun.load("flower")
    (kept.path / "report.json").write_text("{")
    with pytest.raises(NnrunError, match=r"is damaged: report\.json is not the file"):
        nnrun.load(kept.path)


def test_a_damaged_history_is_reported():
    """Not as a traceback of the csv module."""
    kept = nnrun.train(IRIS)
    (kept.path / "history.csv").write_text("iteration,train_loss\n1,x\n")
    with pytest.raises(NnrunError, match=r"history\.csv is not the file that was written"):
        nnrun.load(kept.path).history  # noqa: B018  # reading it is what is tested


@pytest.mark.parametrize("kind", ["inline", "executor", "memory"])
def test_a_sweep_gives_its_leaderboard(folder, kind):
    """Rows in order, the same in this process, on an executor, and without any file."""
    Path("flowers.yaml").write_text(YAML)
    grid = {"training.learning_rate": [0.05, 0.2], "network.sizes": [[4, 3]]}
    with ThreadPoolExecutor(2) as threads:
        board = nnrun.sweep(
            "flowers.yaml",
            grid,
            seeds=2,
            executor=threads if kind == "executor" else None,
            results=None if kind == "memory" else "results",
        )
    assert (4, 0) == (board.trained, len(board.failures))
    (group,) = board.groups
    assert [2, 2] == [row.completed for row in group.rows]
    single = nnrun.train("flowers.yaml", {"training.learning_rate": 0.2}, seed=4, results=None)
    (row,) = [row for row in group.rows if row.choice["training.learning_rate"] == 0.2]
    reached = (row.test.minimum, row.test.maximum)
    assert single.metrics["test"]["accuracy"] in reached
    assert [1, 2] == [row["rank"] for row in board.rows()]
    assert board.rows() == board.to_frame().astype(object).where(
        board.to_frame().notna(), None
    ).to_dict("records")
    if kind == "memory":
        assert ["flowers.yaml"] == os.listdir(folder)
        with pytest.raises(UsageError, match="no run was kept"):
            list(board.runs())
    else:
        own = f"leaderboard-{board.leaderboard.key}.json"
        expected = {"flowers", "leaderboard.csv", "leaderboard.json", "leaderboard.md", own}
        assert expected == set(os.listdir("results"))
        assert [3, 4, 3, 4] == [run.seed for run in board.runs()]


@pytest.mark.parametrize("executor", ["tcp://x", "", 4, ThreadPoolExecutor])
def test_what_is_no_executor_is_reported(folder, executor):
    """In words that name those there are, before anything is trained."""
    words = re.escape(f"executor={executor!r}: ") + r".*concurrent\.futures.*Client\(ADDRESS\)$"
    with pytest.raises(UsageError, match=words):
        nnrun.sweep(IRIS, executor=executor)
    assert [] == os.listdir(folder)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_a_number_of_threads_that_makes_no_sense_is_reported(threads):
    """In words, before anything is trained; whole numbers of NumPy are numbers."""
    words = f"threads={threads!r}: a whole number of at least 1"
    with pytest.raises(UsageError, match=words):
        nnrun.train(IRIS, threads=threads, results=None)
    with pytest.raises(UsageError, match=words):
        nnrun.sweep(IRIS, threads=threads, results=None)
    with pytest.raises(UsageError, match="jobs=0: a whole number of at least 1"):
        nnrun.sweep(IRIS, jobs=0, results=None)
    assert nnrun.train(IRIS, threads=np.int64(1), results=None).status == "completed"


def test_a_sweep_crosses_seeds_of_the_split_with_those_of_the_weights(folder):
    """As numbers or lists; mistakes are refused as on the command line."""
    board = nnrun.sweep(IRIS, seeds={"split": [7, 8], "weights": 3}, iterations=3, results=None)
    (row,) = board.groups[0].rows
    assert (6, 2, 3) == (row.completed, row.splits, row.weights)
    assert ["split", "weights", "both"] == [*row.shares]
    with pytest.raises(nnrun.errors.ConfigError, match=r"sweep\.seeds\.split: 0 is not a whole"):
        nnrun.sweep(IRIS, seeds={"split": 0}, results=None)


@pytest.mark.parametrize("seeds", [[3, 4], {"split": 2}])
def test_seeds_are_given_once(seeds):
    """As an override or as `seeds`; neither is dropped without a word."""
    key = "seed" if isinstance(seeds, list) else "sweep.seeds"
    with pytest.raises(ConfigError, match=f"{key} is given twice"):
        nnrun.sweep(IRIS, {key: seeds}, seeds=seeds, results=None)


def test_a_sweep_tells_mistakes_and_failures():
    """Of configs before anything is trained; of runs in the board."""
    Path("flowers.yaml").write_text(YAML)
    with pytest.raises(ConfigError, match="'tnah' is not an activation"):
        nnrun.sweep("flowers.yaml", {"network.activations.0": ["tanh", "tnah"]})
    with pytest.raises(ConfigError, match="the list of its values is empty"):
        nnrun.sweep("flowers.yaml", {"training.batch_size": []})
    with pytest.raises(UsageError, match="seeds=0: at least one seed"):
        nnrun.sweep("flowers.yaml", seeds=0)
    with pytest.raises(UsageError, match="a path is empty"):
        nnrun.sweep("")
    with pytest.raises(UsageError, match=r"no \.yaml or \.yml file"):
        nnrun.sweep([os.curdir + "/empty"] if os.mkdir("empty") is None else [])
    Path("wild.yaml").write_text(json.dumps(WILD))
    board = nnrun.sweep(["flowers.yaml", "wild.yaml"], seeds=[7, 9], results=None)
    assert 2 == len(board.failures)
    assert "<Board of 4 runs in 2 rows, 2 failed or diverged>" == repr(board)
    assert "in 1 row>" in repr(nnrun.sweep("flowers.yaml", seeds=[7], results=None))


def test_a_sweep_takes_dictionaries_as_well(folder):
    """Alone, or beside files; the runs are those that the same configs have in files."""
    Path("flowers.yaml").write_text(YAML)
    file = nnrun.sweep("flowers.yaml", seeds=2, results=None)
    alone = nnrun.sweep(IRIS, seeds=2, results=None)
    rows, others = ([untimed(row) for row in board.rows()] for board in (file, alone))
    assert rows == others
    other = {**IRIS, "name": "others", "seed": 8}
    board = nnrun.sweep(["flowers.yaml", other], results="both")
    assert ["flowers", "others"] == sorted(run.name for run in board.runs())
    assert "nnrun.sweep(['flowers.yaml', {'name': 'others', …}])" in board.leaderboard.command
    grid = {**IRIS, "sweep": {"grid": {"training.batch_size": [4, 8]}, "seeds": 2}}
    assert 4 == nnrun.sweep(grid, results=None).trained


def untimed(row):
    return {key: value for key, value in row.items() if "seconds" not in key}


def test_mistakes_of_dictionaries_in_a_sweep_say_which(folder):
    """By its place among the configs; two of a name are one of them."""
    wrong = {**IRIS, "name": "wrong", "loss": "cross_entopy"}
    with pytest.raises(ConfigError, match=r"configs\[1\]: loss: 'cross_entopy' is not a loss"):
        nnrun.sweep([IRIS, wrong])
    with pytest.raises(ConfigError, match=r"configs\[1\]: the name 'flowers' is that of configs"):
        nnrun.sweep([IRIS, {**IRIS, "seed": 4}])
    with pytest.raises(UsageError, match="a config file, a folder of them, or a dictionary"):
        nnrun.sweep([])
    assert [] == os.listdir(folder)


def test_a_run_goes_on():
    """As a run of its own, with the bits of all iterations at once; in memory, too."""
    run = nnrun.train(IRIS)
    longer = nnrun.extend(run, 100)
    assert {"run_id": run.run_id, "iterations": 200} == longer.record.extended_from
    overrides = {"training.iterations": 300, "training.evaluate_every": 10}
    whole = nnrun.train(IRIS, overrides, results=None)
    assert whole.record.weights_sha256 == longer.record.weights_sha256
    again = nnrun.extend(str(run.path), 100, results=None)
    assert (None, longer.record.weights_sha256) == (again.path, again.record.weights_sha256)
    assert longer.record == nnrun.extend(f"flowers/{run.run_id}", 100).record
    assert run.record.started < longer.record.started
    assert longer.run_id == nnrun.load("flowers").run_id
    with pytest.raises(UsageError, match="it was kept in memory"):
        nnrun.extend(whole, 100)
    for none in (0, 1.5):
        with pytest.raises(UsageError, match=f"iterations={none}: a whole number of at least 1"):
            nnrun.extend(run, none)


def test_a_run_is_verified(folder):
    """The same bits, or what is wrong with it."""
    run = nnrun.train(IRIS)
    verdict = nnrun.verify(run)
    assert (True, "same_bits") == (verdict.agrees, verdict.finding)
    (run.path / "history.csv").write_text("iteration\n")
    verdict = nnrun.verify("latest")
    assert (False, "damaged") == (verdict.agrees, verdict.finding)
    assert "history.csv is not the file that was written" == verdict.reason
    with pytest.raises(UsageError, match="it was kept in memory"):
        nnrun.verify(nnrun.train(IRIS, results=None))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda: nnrun.train(IRIS, epochs=3),
            "nnrun.train has no argument 'epochs'; settings are overrides, as in "
            "overrides={'training.epochs': 3}",
        ),
        (
            lambda: nnrun.sweep(IRIS, lr=0.1),
            "nnrun.sweep has no argument 'lr'; settings are overrides, as in "
            "overrides={'training.learning_rate': 0.1}",
        ),
        (lambda: nnrun.train(IRIS, sead=3), "has no argument 'sead'; did you mean 'seed'?"),
        (lambda: nnrun.load("latest", folder="x"), "'folder'; there are run, results"),
    ],
)
def test_an_unknown_argument_gets_a_suggestion(call, expected):
    """A setting by its place in a config, else a slip, else what there is."""
    with pytest.raises(TypeError) as caught:
        call()
    assert expected in str(caught.value)


def test_notebooks_see_tables_and_curves(folder):
    """Escaped, and the picture in a frame of its own."""
    hostile = {**IRIS, "name": "a-b", "dataset": {**IRIS["dataset"]}}
    run = nnrun.train(hostile)
    shown = run._repr_html_()
    assert ">accuracy</td>" in shown
    assert '<img src="data:image/svg+xml;base64,' in shown
    Path("flowers.yaml").write_text(YAML)
    board = nnrun.sweep("flowers.yaml", {"training.sampling": ["shuffle"]}, results=None)
    assert ">test ± 95%</th>" in board._repr_html_()
    assert "<script" not in shown


def test_a_notebook_shows_what_is_wrong_with_a_result():
    """As the terminal is, and all of it."""
    Path("flowers.yaml").write_text(YAML)
    good, bad = (
        nnrun.train("flowers.yaml", {"training.learning_rate": rate}, results=None)
        for rate in (0.05, 1e-9)
    )
    assert [0, 3] == [run._repr_html_().count("<strong>Warning:</strong> ") for run in (good, bad)]


def test_training_prints_nothing_unless_asked(capfd):
    """Neither run nor sweep."""
    Path("flowers.yaml").write_text(YAML)
    nnrun.train("flowers.yaml")
    nnrun.sweep("flowers.yaml", seeds=2)
    assert ("", "") == capfd.readouterr()


def test_importing_nnrun_imports_little():
    """No library that is heavy; the functions are there, and so are the errors."""
    code = (
        "import sys, nnrun\n"
        "heavy = {'numpy', 'sklearn', 'scipy', 'llvmlite', 'click', 'rich', 'pydantic', 'yaml'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert {'train', 'load', 'sweep', 'check', 'extend', 'verify'} <= set(dir(nnrun))\n"
        "assert nnrun.errors.ConfigError and nnrun.nn.Network\n"
        "assert callable(nnrun.train) and not {'sklearn', 'llvmlite', 'click'} & set(sys.modules)\n"
        "try: nnrun.trian\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ("module 'nnrun' has no attribute 'trian'\n", "") == (done.stdout, done.stderr)


def test_ctrl_c_saves_what_was_reached(monkeypatch):
    """KeyboardInterrupt comes out, and the next call goes on to the same bits."""
    long = {**IRIS, "training": {**IRIS["training"], "iterations": 4000, "engine": "numpy"}}
    whole = nnrun.train(long, results=None)
    note = RunLease.note

    def interrupted(lease, progress, about):
        note(lease, progress, about)
        if progress.iteration:
            patch.undo()
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunLease, "note", interrupted)
        with pytest.raises(KeyboardInterrupt):
            nnrun.train(long)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    half = nnrun.load("latest")
    assert "interrupted" == half.status
    assert 0 < half.record.timing["iterations"] < 4000
    again = nnrun.train(long)
    assert ("completed", whole.record.weights_sha256) == (
        again.status,
        again.record.weights_sha256,
    )


# Functions that a caller has for the evaluations of runs, which may stop them.

VALIDATED = {
    "name": "flowers",
    "dataset": {"name": "iris", "validation_size": 0.1},
    "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.05, "iterations": 100, "evaluate_every": 10},
}


def weights(run):
    return run.record.weights_sha256


def stop_at(iteration, seed=None):
    def stopping(evaluation):
        if evaluation.iteration == iteration and seed in (None, evaluation.seed):
            evaluation.stop()

    return stopping


def mine(evaluation):
    if evaluation.iteration == 50:
        raise LookupError("mine")


def test_a_stopped_run_has_the_weights_of_that_evaluation():
    """The same bits as a run of this many iterations; it says what stopped it, and verifies."""
    run = nnrun.train(VALIDATED, on_evaluation=stop_at(40))
    short = nnrun.train(VALIDATED, iterations=40, results=None)
    assert ("stopped", 40) == (run.status, run.history["iteration"][-1])
    assert "on_evaluation stopped it at iteration 40 of 100" == run.error
    assert weights(short) == weights(run)
    assert "same_bits" == nnrun.verify(run).finding
    assert len(run.predict([[5.1, 3.5, 1.4, 0.2]])) == 1


def test_a_stopped_run_continues_without_a_callback_only():
    """The same call is answered from the results folder; one without the callback trains on, to
    the bits of a run that was not stopped; and a callback does not undo that.
    """
    seen = []

    def stopping(evaluation):
        seen.append(evaluation.iteration)
        stop_at(30)(evaluation)

    for _ in range(2):
        assert "stopped" == nnrun.train(VALIDATED, on_evaluation=stopping).status
    assert [10, 20, 30] == seen
    whole = nnrun.train(VALIDATED)
    assert "completed" == whole.status
    assert weights(nnrun.train(VALIDATED, results=None)) == weights(whole)
    assert "completed" == nnrun.train(VALIDATED, on_evaluation=stopping).status
    forced = nnrun.train(VALIDATED, on_evaluation=stop_at(30), force=True)
    assert ("stopped", "completed") == (forced.status, nnrun.load("flowers").status)


def test_a_callback_sees_every_evaluation():
    """Losses and metrics are those of the history; watching changes no bit, and a stop at the last
    evaluation nothing.
    """
    seen = []

    def watch(evaluation):
        seen.append(evaluation)
        stop_at(100)(evaluation)

    run = nnrun.train(VALIDATED, results=None, on_evaluation=watch)
    assert "completed" == run.status
    assert weights(nnrun.train(VALIDATED, results=None)) == weights(run)
    assert run.history["iteration"].tolist() == [one.iteration for one in seen]
    assert run.history["validation_loss"].tolist() == [one.losses["validation"] for one in seen]
    accuracy = [one.metrics["test"]["accuracy"] for one in seen]
    assert run.history["test_accuracy"].tolist() == accuracy
    assert {f"flowers/{run.run_id}"} == {one.run for one in seen}


def test_an_error_of_a_callback_ends_the_work():
    """It comes out as it is, of a run and of a sweep; what was reached is saved and continues."""
    with pytest.raises(LookupError, match="mine"):
        nnrun.train(VALIDATED, on_evaluation=mine)
    half = nnrun.load("flowers")
    assert ("interrupted", 50) == (half.status, half.record.timing["iterations"])
    assert weights(nnrun.train(VALIDATED, results=None)) == weights(nnrun.train(VALIDATED))
    with pytest.raises(LookupError, match="mine"):
        nnrun.sweep(VALIDATED, seeds=3, jobs=1, results="sweep", on_evaluation=mine)
    assert "interrupted" == nnrun.load("flowers/s42", results="sweep").status


def test_a_sweep_asks_in_this_process_whatever_the_jobs():
    """Each run waits for the answer, so that it stops at that evaluation; its row says so."""
    found = {}
    for jobs in (1, 2):
        seen = []

        def watch(evaluation, seen=seen):
            seen.append((evaluation.run, evaluation.iteration))
            stop_at(40, seed=43)(evaluation)

        board = nnrun.sweep(
            VALIDATED, {"training.learning_rate": [0.1, 0.01]},
            seeds=3, jobs=jobs, results=f"jobs{jobs}", on_evaluation=watch,
        )  # fmt: skip
        assert 4 * 10 + 2 * 4 == len(seen)
        assert [(2, 1)] * 2 == [(row["completed"], row["stopped"]) for row in board.rows()]
        assert ([], "<Board of 6 runs in 2 rows, 2 stopped>") == (board.failures, repr(board))
        found[jobs] = [(run.run_id, run.status, weights(run)) for run in board.runs()]
    assert found[1] == found[2]
    assert 2 == sum(status == "stopped" for _, status, _ in found[1])


def test_a_sweep_takes_stopped_runs_as_they_are():
    """With a callback they are not trained again; without one they are, to their end."""
    stopped = nnrun.sweep(VALIDATED, seeds=2, jobs=1, on_evaluation=stop_at(20))
    again = nnrun.sweep(VALIDATED, seeds=2, jobs=1, on_evaluation=stop_at(30))
    assert (2, 0) == (stopped.trained, again.trained)
    with pytest.raises(UsageError, match="no run of the sweep has completed"):
        _ = again.best
    whole = nnrun.sweep(VALIDATED, seeds=2, jobs=1)
    assert (2, 2) == (whole.trained, whole.best.completed)


def test_an_executor_cannot_ask():
    """It carries calls and results alone; the error says what does."""
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(UsageError, match=r"on_evaluation needs .*jobs=N"),
    ):
        nnrun.sweep(VALIDATED, executor=executor, on_evaluation=print)
