"""`nnrun best NAME --final`: the best setting on all rows."""

from __future__ import annotations

from pathlib import Path
from statistics import median_low

import numpy as np
import pytest

import nnrun
from tests.forging import said
from tests.lab import CARS, write

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
