"""`nnrun best`, margins, and the order of boards."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from statistics import median_low

import numpy as np
import pytest

import nnrun
import nnrun as package
from nnrun.errors import UsageError
from nnrun.models.load import load_model as load
from nnrun.models.load import weights_of, weights_sha256
from nnrun.runs.catalog import index
from nnrun.runs.catalog.summary import JsonMapping
from nnrun.runs.storage import reading
from nnrun.sklearn import NetworkRegressor
from tests.forging import revise, said
from tests.lab import CARS, write

# `NAME/best` and `nnrun best`: the run that is taken, and what is said of it.

VALIDATION = "dataset.validation_size=0.2"


@pytest.fixture
def swept(lab):
    """Two settings with three seeds; the newest run has the worse setting: its report."""
    sweeps = (
        f"sweep cars.yaml training.learning_rate={rate} {VALIDATION} --seeds 3 -j1 -q"
        for rate in ("0.05", "0.0001")
    )
    lab.begin({"cars.yaml": CARS}, *sweeps)
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


def test_every_command_takes_the_best(lab, swept, rows):
    """And says which run that is, and why."""
    said = f"run: cars/{swept['run_id']}, the median of 3 runs with learning_rate=0.05, number 1 of"
    for words in (
        ("show", "cars/best"),
        ("show", "results/cars/best/"),
        ("predict", "cars/best", rows),
        ("export", "cars/best", "-o", "cars.py"),
        ("verify", "cars/best"),
    ):
        done = lab.ok(*words)
        assert done.err.startswith(said)
    assert swept["run_id"] == lab.json("show", "cars/best")["run_id"]
    labels = lab.json("compare", "cars/best", "cars")["labels"]
    assert f"cars/{swept['run_id']}" == labels[0]
    lab("train", "cars/best", "--extend", "10", "-q")
    longer = lab.json("ls", "-n", "7")
    assert [swept["run_id"]] == [r["extended_from"] for r in longer if r["extended_from"]]
    lab.ok("report", "cars/best")


def test_python_takes_the_best(swept):
    """`load` and what else takes a run."""
    assert swept["run_id"] == package.load("cars/best").run_id
    assert swept["run_id"] == package.verify("cars/best").run_id
    regressor = NetworkRegressor.from_run("cars/best")
    assert swept["weights_sha256"] == weights_sha256(weights_of(regressor.network_))


def test_a_bare_name_says_that_there_is_a_better_setting(lab, swept, rows):
    """With the command that takes it, which runs as it is."""
    of_rows = ("explain", "cars", "--row", "2", "--row", "3")
    for words in (("predict", "cars", rows, "--results", "./results"), ("show", "cars"), of_rows):
        err = lab(*words).err
        lines = err.splitlines()
        assert lines[0].endswith(", the newest")
        assert "number 2 of 2 stored settings by validation mse" in lines[1]
        assert "number 1 is learning_rate=0.05 with " in lines[1]
        command, name, run, *rest = lines[2].split()
        assert ("nnrun", words[0], "cars/best") == (command, name, run)
        assert f"run: cars/{swept['run_id']}, the median" in lab(name, run, *rest).err


def test_no_better_setting_is_named_where_there_is_none(lab, cars, swept):
    """Where the newest run has the best setting, or runs differ in their seeds alone."""
    newest = Path("results/cars", package.load("cars/best").run_id, "report.json")
    revise(newest, started="2100-01-01T12:00:00+00:00")
    assert f"run: cars/{newest.parent.name}, the newest\n" == lab("show", "cars").err
    write("plain.yaml", CARS.replace("cars", "plain"))
    lab("sweep", "plain.yaml", "--seeds", "2", "-j1", "-q")
    assert 1 == len(lab("show", "plain").err.splitlines())


def test_a_run_that_is_named_in_full_is_not_named_again(lab, swept):
    """Nor is a folder; the start of an id is."""
    run_id = swept["run_id"]
    assert "" == lab("show", f"cars/{run_id}").err
    assert "" == lab("show", f"results/cars/{run_id}").err
    assert f"run: cars/{run_id}\n" == lab("show", f"cars/{run_id[:-1]}").err


def test_a_choice_by_test_says_what_it_costs(lab, swept, cars):
    """Asked for, or for lack of a validation split; then it says how to have one."""
    note = "chosen by the test split, so that its test result is too good to expect of new data; "
    assert (
        f"  {note}--by validation keeps the test result valid\n"
        in lab("show", "cars/best", "--by", "test").err
    )
    assert note not in lab("show", "cars/best").err
    write("plain.yaml", CARS.replace("cars", "plain"))
    lab("train", "plain.yaml", "-q")
    assert (
        f"  {note}dataset.validation_size sets rows aside to choose by\n"
        in lab("show", "plain/best").err
    )
    assert "plain/best: its runs have no validation split" in lab.refused(
        "show", "plain/best", "--by", "validation"
    )
    assert "--by test says how NAME/best is chosen, and 'plain' is another run" in lab.refused(
        "show", "plain", "--by", "test"
    )


def test_the_chosen_setting_is_a_config(lab, swept):
    """It trains as it is, without a sweep, to the run that was chosen."""
    done = lab("best", "cars", "-o", "best.yaml")
    assert (0, "") == (done.code, done.out)
    for name in ("cars", "cars/best", "results/cars"):
        assert Path("best.yaml").read_text() == lab("best", name).out
    assert "sweep" not in Path("best.yaml").read_text()
    trained = lab("train", "best.yaml", "--json")
    assert "already trained" in trained.err
    assert swept["run_id"] == trained.json["run_id"]
    data = lab.json("best", "cars")
    assert (swept["run_id"], "validation", 2) == (
        data["run_id"],
        data["ordered_by"],
        data["settings"],
    )
    assert swept["config"] == data["config"] | {"sweep": None}


def test_an_experiment_that_is_none_has_no_best(lab, swept):
    """It is an error as for any name; so is a results folder that does not exist."""
    for words in (("show", "carz/best"), ("best", "carz")):
        assert "no run in results is called 'carz'; did you mean 'cars'?" in lab.refused(*words)
    assert "there is no results folder none" in lab.refused("best", "cars", "--results", "none")
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


def test_the_list_shows_what_it_is_sorted_by(lab, swept):
    """By validation where there is such a split, as a board; a setting or another column too."""
    top = lab("ls", "--md", "--top", "2").out.splitlines()
    assert top[0].startswith("In every row: ")
    assert "| run | status | validation mse | test mse |" in top[2] + "|"
    assert "| seconds |" in lab("ls", "--md", "--sort", "seconds").out
    assert "| learning_rate |" in lab("ls", "--md", "--sort", "learning_rate").out
    assert 1 == lab("ls", "--md", "--sort", "test").out.count(" test mse |")
    values = [row["validation"] for row in lab.json("ls", "--top", "6")]
    assert sorted(values) == values


def test_the_list_says_no_bookkeeping(lab, swept):
    """Neither what an extended run has kept, nor digests by their key."""
    lab.ok("train", "cars/best", "--extend", "10", "-q")
    text = lab("ls", "--md").out
    assert "evaluate_every" not in text
    assert f"iterations=310 extended from {swept['run_id'][:7]}" in text
    for number in (1, 2):
        Path("data.csv").write_text("x,y\n" + "".join(f"{i},{number * i}\n" for i in range(20)))
        write("own.yaml", OWN)
        lab.ok("train", "own.yaml", "-q")
    text = lab("ls", "own", "--md").out
    assert "sha256" not in text
    assert 2 == text.count("| data with digest ")
    lab("sweep", write("moons.yaml", MOONS), "-j1", "-q")
    text = lab("ls", "moons", "--md").out
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


# `--margin` on sweep, ls, compare and report; and the one test of two configs.

CONFIG = """
name: flowers
dataset: {name: iris, test_size: 0.2}
network: {sizes: [4, 3], activations: [linear, softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 200, engine: numpy}
sweep: {seeds: 3, grid: {training.learning_rate: [0.1, 0.0001]}}
"""


@pytest.fixture
def with_margin(lab):
    """Six runs of two settings, one of which hardly learns; with a margin."""
    return lab.begin(
        {"flowers.yaml": CONFIG}, "sweep flowers.yaml -j 1 --margin 0.9 -q --json"
    ).json


def test_a_sweep_names_what_is_as_good_as_the_best(lab, with_margin):
    """In its data, in the file, and in the words of ls, which takes a margin of its own."""
    (group,) = with_margin["leaderboard"]["groups"]
    stored = json.loads(Path("results/leaderboard.json").read_text())
    assert group == stored["groups"][0]
    assert " --margin 0.9 " in stored["command"]
    assert (0.9, 35) == (group["margin"], group["rows"][0]["parameters"])
    assert group["rows"][0]["as_good"]
    text = " ".join(lab("ls", "--leaderboard").out.split())
    assert "As good as the best to within 0.9, at 95%: learning rate 0.1" in text
    other = " ".join(lab("ls", "--leaderboard", "--margin", "0").out.split())
    assert "to within 0, at 95%" in other or "as the best to within 0:" in other


def test_compare_of_two_configs_is_one_test(lab, with_margin):
    """With p, interval and what was assumed, the first less the second; of more there is none."""
    runs = lab.json("ls")
    by_rate = {run["settings"]["training.learning_rate"]: run["run_id"] for run in runs}
    names = [f"flowers/{by_rate[rate]}" for rate in (0.0001, 0.1)]
    test = lab.json("compare", *names)["test"]
    assert "flowers learning_rate=0.0001" == test["first"]
    assert (True, 3) == (test["paired"], test["n"])
    assert test["low"] < test["difference"] < test["high"]
    assert test["difference"] < 0 < test["p"] < 1
    text = " ".join(lab("compare", *names, "--margin", "0.9").out.split())
    assert "The first less the second, as one test" in text
    assert f"3 pairs Assumed: {test['assumed']}." in text
    assert "As good as the best to within 0.9" in text
    one = [f"flowers/{run['run_id']}" for run in runs if run["run_id"] != by_rate[0.1]]
    same = [name for name in one if name != names[0]][:2]
    assert lab.json("compare", *same, *names)["leaderboard"]


def test_a_report_says_what_is_as_good_as_the_best(lab, with_margin):
    """Below its leaderboard."""
    lab.ok("report", "--margin", "0.9")
    assert "As good as the best to within 0.9" in Path("report.html").read_text()


def test_settings_beside_compared_runs_are_looked_at_once(lab, monkeypatch):
    """However many runs are compared with them."""
    rates = [0.01 * step for step in range(1, 10)]
    Path("flowers.yaml").write_text(CONFIG.replace("[0.1, 0.0001]", str(rates)))
    lab("sweep", "flowers.yaml", "-j", "1", "--seeds", "1", "--iterations", "1", "-q")
    runs = sorted(Path("results/flowers").iterdir())
    assert len(rates) == len(runs)
    looks = []
    monkeypatch.setattr(
        JsonMapping, "__getitem__", lambda self, key: looks.append(key) or self.plain[key]
    )

    def work(compared):
        looks.clear()
        lab("compare", *map(str, runs[:compared]))
        return len(looks)

    few, more, most = map(work, (3, 6, 9))
    assert more - few == most - more > 0


def test_runs_beside_compared_ones_come_from_the_index(lab, with_margin, monkeypatch):
    """Reports are read of the compared ones and the best alone."""
    monkeypatch.setattr(index, "WORTH", 1)
    runs = lab.json("ls")
    by_rate = {run["settings"]["training.learning_rate"]: run["run_id"] for run in runs}
    read, own = [], reading._read
    monkeypatch.setattr(reading, "_read", lambda path: read.append(path.parent.name) or own(path))
    names = [f"flowers/{run_id}" for run_id in by_rate.values()]
    (group,) = lab.json("compare", *names)["leaderboard"]["groups"]
    assert len({*read}) <= len(names) + 1 < len(runs)
    assert [3, 3] == [row["completed"] for row in group["rows"]]


@pytest.mark.parametrize("margin", ["-1", "nan", "inf", "much"])
@pytest.mark.parametrize("command", ["sweep", "ls", "compare", "report"])
def test_a_margin_is_a_number_from_0_on(lab, command, margin):
    """Anything else is a mistake in the command line, and nothing is written."""
    Path("flowers.yaml").write_text(CONFIG)
    words = {"sweep": ["flowers.yaml"], "ls": ["--leaderboard"]}.get(command, [])
    assert "--margin" in lab.refused(command, *words, "--margin", margin)
    assert not Path("results").exists()


def test_a_margin_without_a_board_is_a_mistake(lab, with_margin):
    """A list of runs has none."""
    assert "--leaderboard" in lab.refused("ls", "--margin", "0.1")


# Leaderboards, choices and lists by any metric that reports have.

MOONS_BY_MCC = """\
dataset: {name: moons, rows: 200, validation_size: 0.2}
network: {sizes: [4, 2], activations: [tanh, softmax]}
loss: cross_entropy
metrics: [mcc]
training: {learning_rate: 0.1, iterations: 200, engine: numpy}
sweep: {seeds: 2, grid: {training.learning_rate: [0.1, 0.001]}}
"""


@pytest.fixture
def moons(lab):
    """A sweep of two settings with two seeds, ordered by the Brier score: what it printed."""
    sweep = "sweep moons.yaml --order-by brier -j 1 --json"
    return lab.begin({"moons.yaml": MOONS_BY_MCC}, sweep).json


def test_a_sweep_is_ordered_by_what_is_asked_for(lab, moons):
    """Smaller Brier scores come first; lists and choices go by it, too."""
    (group,) = moons["leaderboard"]["groups"]
    means = [row["mean"] for row in group["rows"]]
    assert ("brier", False, sorted(means)) == (group["metric"], group["larger_is_better"], means)
    assert "brier" == lab.json("best", "moons")["metric"]
    assert {"brier"} == {run["metric"] for run in lab.json("ls")}


def test_stored_runs_are_ordered_by_what_they_have(lab, moons):
    """On the boards of `best`, `compare` and `report`, and in lists."""
    best = lab.json("best", "moons", "--order-by", "mcc")
    assert ("mcc", "validation") == (best["metric"], best["ordered_by"])
    listed = lab.json("ls", "--sort", "test_mcc")
    values = [run["metrics"]["test_mcc"] for run in listed]
    assert sorted(values, reverse=True) == values
    runs = [f"moons/{run['run_id']}" for run in listed[::3]]
    shown = lab.json("compare", *runs, "--order-by", "log_loss")
    assert ["log_loss"] == [group["metric"] for group in shown["leaderboard"]["groups"]]
    lab.ok("report", "--order-by", "mcc", "-q")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (
            "brier",
            "best stored setting: nnrun best moons\nits median run, for any command: moons/best",
        ),
        ("mcc", "best stored setting: nnrun best moons --order-by mcc\n\n"),
    ],
)
def test_a_board_names_the_command_that_chooses_by_its_metric(lab, moons, metric, words):
    """And `moons/best` only where that goes by the same metric."""
    shown = lab("sweep", "moons.yaml", "--order-by", metric)
    assert words in shown.out


@pytest.mark.parametrize("command", ["best", "compare", "report"])
def test_a_metric_that_no_run_has_is_refused(lab, moons, command):
    """With what adds it."""
    listed = lab.json("ls")
    runs = {"best": ["moons"], "report": []}
    given = runs.get(command, [f"moons/{run['run_id']}" for run in listed])
    assert "--order-by roc_auc: no run here has it; add it to `metrics`" in lab.refused(
        command, *given, "--order-by", "roc_auc"
    )


def test_a_metric_of_another_task_is_refused(lab, moons):
    """Without the advice to add it."""
    refused = lab("best", "moons", "--order-by", "r2")
    words = "no run here has it; it is for regression, and they are classification\n"
    assert (2, True) == (refused.code, refused.err.endswith(words))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("auc", "did you mean 'roc_auc'?"),
        ("test_mcc", "write 'mcc', the split is implied"),
        ("zzz", "`nnrun help metrics` lists them"),
    ],
)
def test_a_name_that_is_no_metric_is_refused(lab, name, hint):
    """With the name that may be meant."""
    assert f"'{name}' is not a metric; {hint}" in lab.refused("best", "moons", "--order-by", name)


def test_lists_and_boards_name_a_metric_as_reports_do(lab, moons):
    """With its split."""
    listed = lab("ls", "--sort", "mcc", "--md").out
    assert "| settings | validation MCC | test Brier score |" in listed
    assert "validation log loss" in lab("best", "moons", "--order-by", "log_loss").err
    board = lab("ls", "--leaderboard", "moons").out
    assert "moons: Brier score, ordered by the validation split" in board


# `nnrun best NAME --final`: the best setting on all rows.

TABLE = """\
name: sales
dataset:
  path: sales.csv
  columns: {{target: y}}
  features: [standard]
  target: standard
  {dataset}
network: {{sizes: [3, 1], activations: [tanh, linear]}}
loss: mean_squared
training: {{learning_rate: 0.02, iterations: 400, evaluate_every: 20, engine: numpy{training}}}
{more}
"""
STOPPING = ", early_stopping: {patience: 2}"


def sales(lab, dataset, training="", more="", seeds=1):
    """Runs of this config on 100 rows in the order of time."""
    rng = np.random.default_rng(5)
    rows = [f"{i},{i % 7},{(i % 7) ** 2 + rng.normal():.3f}" for i in range(100)]
    files = {
        "sales.csv": "t,x,y\n" + "\n".join(rows) + "\n",
        "sales.yaml": TABLE.format(dataset=dataset, training=training, more=more),
    }
    lab.begin(files, f"sweep sales.yaml --seeds {seeds} -j 1 -q")


def final_report():
    """The report of the only run on all rows."""
    (path,) = Path().glob("results/*-final/*/report.json")
    return said(path)


def sizes(report):
    """The rows of each split."""
    return [report["dataset"][f"n_{split}"] for split in ("train", "validation", "test")]


def test_it_trains_on_all_rows(lab):
    """As a run of its own, whose words quote what the judged runs have reached."""
    sales(lab, "validation_size: 0.25", seeds=3)
    done = lab.ok("best", "sales", "--final", "-o", "final.yaml")
    report = final_report()
    assert ("sales-final", [100, 0, 0]) == (report["name"], sizes(report))
    assert "sales-final: trains on all 100 rows, and sales/s" in done.err
    assert " of 3 runs is the estimate, of a network trained on 60% of these rows\n" in done.err
    assert report["description"].startswith("sales/best on all 100 rows; test mse ")
    assert report["description"] in " ".join(lab("show", "sales-final").out.split())
    assert report["run_id"] == lab.json("train", "final.yaml")["run_id"]
    assert "already trained" in lab.ok("best", "sales", "--final").err


def test_other_commands_take_it(lab):
    """And boards do not rank it among the judged runs."""
    sales(lab, "validation_size: 0.25", seeds=2)
    before = lab.json("best", "sales")
    lab.ok("best", "sales", "--final")
    assert before == lab.json("best", "sales")
    write("new.csv", "t,x\n7,3\n")
    assert lab.ok("predict", "sales-final", "new.csv").out.startswith("prediction\n")
    for command in (("verify", "sales-final"), ("report",), ("ls",)):
        lab.ok(*command)
    lab.ok("pack", "sales-final", "-o", "run.zip")
    assert "completed" == nnrun.load("run.zip").status


@pytest.mark.parametrize(
    ("training", "more", "kept"),
    [
        ("", "", [100, 0, 0]),
        (STOPPING, "", [80, 20, 0]),
        (STOPPING, "members: {number: 2, validation: own}", [80, 20, 0]),
        ("", "members: {number: 2, validation: own}", [80, 20, 0]),
    ],
)
def test_validation_rows_stay_where_training_needs_them(lab, training, more, kept):
    """Members with rows of their own train on all of them together."""
    sales(lab, "validation_size: 0.2", training, more)
    done = lab.ok("best", "sales", "--final")
    assert kept == sizes(final_report())
    every = "all 100 rows, and" if more or not training else "80 of all 100 rows, the others being"
    assert f"trains on {every}" in done.err


def test_by_time_it_trains_as_long_as_the_judged_runs(lab):
    """The rows that early stopping needs would be the newest."""
    by_time = "split: {by: time, column: t}\n  validation_size: 0.2"
    sales(lab, by_time, STOPPING, seeds=3)
    judged = [said(path)["best_iteration"] for path in Path().glob("results/*/*/report.json")]
    lab.ok("best", "sales", "--final")
    report = final_report()
    training = report["config"]["training"]
    assert [100, 0, 0] == sizes(report)
    assert (median_low(judged), None) == (training["iterations"], training["early_stopping"])


def test_of_folds_the_mean_is_the_estimate(lab):
    """Over all of them; the choice says the command."""
    sales(lab, "folds: 5")
    command = "nnrun best sales --final"
    assert f"for use, train on all rows:\n    {command}\n" in lab("show", "sales/best").err
    done = lab.ok(*command.split()[1:])
    assert [100, 0, 0] == sizes(final_report())
    assert " of 5 runs is the estimate, of a network trained on 80% of these rows" in done.err


def test_given_test_rows_are_trained_on(lab):
    """`test_size: pooled` has them among the others."""
    x = np.arange(30.0)[:, None]
    np.savez("given.npz", x=x[:20], y=x[:20, 0], x_test=x[20:], y_test=x[20:, 0])
    config = CARS.replace("name: autompg", "path: given.npz").replace("cars", "given")
    write("given.yaml", config)
    lab.ok("train", "given.yaml", "-q")
    lab.ok("best", "given", "--final")
    report = final_report()
    assert ([30, 0, 0], "pooled") == (sizes(report), report["config"]["dataset"]["test_size"])


def test_a_description_stays(lab):
    """In front of what is known of the run."""
    sales(lab, "validation_size: 0.2", more="description: Our shops.")
    lab.ok("best", "sales", "--final")
    assert final_report()["description"].startswith("Our shops. sales/best on all 100 rows; test ")


def test_the_estimate_says_when_it_chose(lab):
    """The best of two by the test split is too good there."""
    write("cars.yaml", CARS)
    lab.ok("sweep", "cars.yaml", "training.learning_rate=0.01,0.02", "-j1", "-q")
    assert " is the estimate, too good since it decided, of a" in lab("best", "cars", "--final").err


def test_what_cannot_be_trained_is_refused(lab):
    """Without an experiment, on all rows already, and on other data."""
    assert "no results folder" in lab.refused("best", "sales", "--final")
    sales(lab, "validation_size: 0.2")
    lab.ok("best", "sales", "--final")
    words = "was trained on all rows that can be trained on already"
    assert words in lab.refused("best", "sales-final", "--final")
    Path("sales.csv").write_text(Path("sales.csv").read_text() + "100,2,4\n")
    answer = lab("best", "sales", "--final")
    assert 1 == answer.code
    assert "have changed since it was trained" in answer.err
