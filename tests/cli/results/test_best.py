"""`NAME/best` and `nnrun best`: the run that is taken, and what is said of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import nnrun as package
from nnrun.errors import UsageError
from nnrun.models.load import load
from nnrun.models.weights import weights_of, weights_sha256
from nnrun.sklearn import NetworkRegressor
from tests.cli.conftest import CARS, write
from tests.forging import revise, said

VALIDATION = "dataset.validation_size=0.2"


@pytest.fixture
def swept(nnrun, cars):
    """Two settings with three seeds; the newest run has the worse setting: its report."""
    for rate in ("0.05", "0.0001"):
        words = (f"training.learning_rate={rate}", VALIDATION, "--seeds", "3", "-j1", "-q")
        assert 0 == nnrun("sweep", cars, *words).exit_code
    reports = [(path, said(path)) for path in Path().glob("results/cars/*/report.json")]
    for path, report in reports:
        if report["config"]["training"]["learning_rate"] < 0.05:
            revise(path, started="2099-01-01T12:00:00+00:00")
    good = [r for _, r in reports if r["config"]["training"]["learning_rate"] == 0.05]
    return sorted(good, key=lambda report: report["metrics"]["validation"]["mse"])[1]


@pytest.fixture
def rows(swept):
    """A file with the columns of training."""
    model = load(Path("results/cars") / swept["run_id"])
    names = model.layout.columns.feature_names
    with Path("new.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerow([1.0] * len(names))
    return "new.csv"


def test_every_command_takes_the_best(nnrun, swept, rows):
    """And says which run that is, and why."""
    said = f"run: cars/{swept['run_id']}, the median of 3 runs with learning_rate=0.05, number 1 of"
    for words in (
        ("show", "cars/best"),
        ("show", "results/cars/best/"),
        ("predict", "cars/best", rows),
        ("export", "cars/best", "-o", "cars.py"),
        ("verify", "cars/best"),
    ):
        done = nnrun(*words)
        assert 0 == done.exit_code
        assert done.stderr.startswith(said)
    assert swept["run_id"] == json.loads(nnrun("show", "cars/best", "--json").stdout)["run_id"]
    labels = json.loads(nnrun("compare", "cars/best", "cars", "--json").stdout)["labels"]
    assert f"cars/{swept['run_id']}" == labels[0]
    nnrun("train", "cars/best", "--extend", "10", "-q")
    longer = json.loads(nnrun("ls", "--json", "-n", "7").stdout)
    assert [swept["run_id"]] == [r["extended_from"] for r in longer if r["extended_from"]]
    assert 0 == nnrun("report", "cars/best").exit_code


def test_python_takes_the_best(swept):
    """`load` and what else takes a run."""
    assert swept["run_id"] == package.load("cars/best").run_id
    assert swept["run_id"] == package.verify("cars/best").run_id
    regressor = NetworkRegressor.from_run("cars/best")
    assert swept["weights_sha256"] == weights_sha256(weights_of(regressor.network_))


def test_a_bare_name_says_that_there_is_a_better_setting(nnrun, swept, rows):
    """With the command that takes it, which runs as it is."""
    of_rows = ("explain", "cars", "--row", "2", "--row", "3")
    for words in (("predict", "cars", rows, "--results", "./results"), ("show", "cars"), of_rows):
        err = nnrun(*words).stderr
        lines = err.splitlines()
        assert lines[0].endswith(", the newest")
        assert "number 2 of 2 stored settings by validation mse" in lines[1]
        assert "number 1 is learning_rate=0.05 with " in lines[1]
        command, name, run, *rest = lines[2].split()
        assert ("nnrun", words[0], "cars/best") == (command, name, run)
        assert f"run: cars/{swept['run_id']}, the median" in nnrun(name, run, *rest).stderr


def test_no_better_setting_is_named_where_there_is_none(nnrun, cars, swept):
    """Where the newest run has the best setting, or runs differ in their seeds alone."""
    newest = Path("results/cars", package.load("cars/best").run_id, "report.json")
    revise(newest, started="2100-01-01T12:00:00+00:00")
    assert f"run: cars/{newest.parent.name}, the newest\n" == nnrun("show", "cars").stderr
    write("plain.yaml", CARS.replace("cars", "plain"))
    nnrun("sweep", "plain.yaml", "--seeds", "2", "-j1", "-q")
    assert 1 == len(nnrun("show", "plain").stderr.splitlines())


def test_a_run_that_is_named_in_full_is_not_named_again(nnrun, swept):
    """Nor is a folder; the start of an id is."""
    run_id = swept["run_id"]
    assert "" == nnrun("show", f"cars/{run_id}").stderr
    assert "" == nnrun("show", f"results/cars/{run_id}").stderr
    assert f"run: cars/{run_id}\n" == nnrun("show", f"cars/{run_id[:-1]}").stderr


def test_a_choice_by_test_says_what_it_costs(nnrun, swept, cars):
    """Asked for, or for lack of a validation split; then it says how to have one."""
    note = "chosen by the test split, so that its test result is too good to expect of new data; "
    assert (
        f"  {note}--by validation keeps the test result valid\n"
        in nnrun("show", "cars/best", "--by", "test").stderr
    )
    assert note not in nnrun("show", "cars/best").stderr
    write("plain.yaml", CARS.replace("cars", "plain"))
    nnrun("train", "plain.yaml", "-q")
    assert (
        f"  {note}dataset.validation_size sets rows aside to choose by\n"
        in nnrun("show", "plain/best").stderr
    )
    done = nnrun("show", "plain/best", "--by", "validation")
    assert (2, "") == (done.exit_code, done.stdout)
    assert "plain/best: its runs have no validation split" in done.stderr
    done = nnrun("show", "plain", "--by", "test")
    assert 2 == done.exit_code
    assert "--by test says how NAME/best is chosen, and 'plain' is another run" in done.stderr


def test_the_chosen_setting_is_a_config(nnrun, swept):
    """It trains as it is, without a sweep, to the run that was chosen."""
    done = nnrun("best", "cars", "-o", "best.yaml")
    assert (0, "") == (done.exit_code, done.stdout)
    for name in ("cars", "cars/best", "results/cars"):
        assert Path("best.yaml").read_text() == nnrun("best", name).stdout
    assert "sweep" not in Path("best.yaml").read_text()
    trained = nnrun("train", "best.yaml", "--json")
    assert "already trained" in trained.stderr
    assert swept["run_id"] == json.loads(trained.stdout)["run_id"]
    data = json.loads(nnrun("best", "cars", "--json").stdout)
    assert (swept["run_id"], "validation", 2) == (
        data["run_id"],
        data["ordered_by"],
        data["settings"],
    )
    assert swept["config"] == data["config"] | {"sweep": None}


def test_an_experiment_that_is_none_has_no_best(nnrun, swept):
    """It is an error as for any name; so is a results folder that does not exist."""
    for words in (("show", "carz/best"), ("best", "carz")):
        done = nnrun(*words)
        assert (2, "") == (done.exit_code, done.stdout)
        assert "no run in results is called 'carz'; did you mean 'cars'?" in done.stderr
    done = nnrun("best", "cars", "--results", "none")
    assert 2 == done.exit_code
    assert "there is no results folder none" in done.stderr
    with pytest.raises(UsageError, match="is called 'carz'; did you mean 'cars'"):
        package.load("carz/best")


def test_a_board_has_a_best_row(cars):
    """The first one; of data sets that cannot be compared there is none."""
    board = package.sweep(cars, {"training.learning_rate": [0.0001, 0.05]}, seeds=2)
    assert board.groups[0].rows[0] is board.best
    assert {"training.learning_rate": 0.05} == board.best.choice
    run = package.load(f"{board.best.name}/best")
    assert 0.05 == run.config["training"]["learning_rate"]
    several = package.sweep(cars, {"dataset.validation_size": [0, 0.2]}, results=None)
    with pytest.raises(UsageError, match=r"^the board has 2 groups that cannot be compared"):
        _ = several.best


def test_the_list_shows_what_it_is_sorted_by(nnrun, swept):
    """By validation where there is such a split, as a board; a setting or another column too."""
    top = nnrun("ls", "--md", "--top", "2").stdout.splitlines()
    assert top[0].startswith("In every row: ")
    assert "| run | status | validation mse | test mse |" in top[2] + "|"
    assert "| seconds |" in nnrun("ls", "--md", "--sort", "seconds").stdout
    assert "| learning_rate |" in nnrun("ls", "--md", "--sort", "learning_rate").stdout
    assert 1 == nnrun("ls", "--md", "--sort", "test").stdout.count(" test mse |")
    values = [row["validation"] for row in json.loads(nnrun("ls", "--json", "--top", "6").stdout)]
    assert sorted(values) == values


def test_the_list_says_no_bookkeeping(nnrun, swept):
    """Neither what an extended run has kept, nor digests by their key."""
    assert 0 == nnrun("train", "cars/best", "--extend", "10", "-q").exit_code
    text = nnrun("ls", "--md").stdout
    assert "evaluate_every" not in text
    assert f"iterations=310 extended from {swept['run_id'][:7]}" in text
    for number in (1, 2):
        Path("data.csv").write_text("x,y\n" + "".join(f"{i},{number * i}\n" for i in range(20)))
        write("own.yaml", OWN)
        assert 0 == nnrun("train", "own.yaml", "-q").exit_code
    text = nnrun("ls", "own", "--md").stdout
    assert "sha256" not in text
    assert 2 == text.count("| data with digest ")
    nnrun("sweep", write("moons.yaml", MOONS), "-j1", "-q")
    text = nnrun("ls", "moons", "--md").stdout
    assert ("rows=40" in text, "digest" in text) == (True, False)


OWN = """
name: own
dataset: {path: data.csv, columns: {target: y}}
network: {sizes: [2, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 5, engine: numpy}
"""
MOONS = """
name: moons
dataset: {name: moons}
network: {sizes: [2, 2], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.01, iterations: 5, engine: numpy}
sweep: {grid: {dataset.rows: [40, 60]}}
"""
