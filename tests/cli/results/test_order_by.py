"""Leaderboards, choices and lists by any metric that reports have."""

from __future__ import annotations

import pytest

MOONS = """\
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
    return lab.begin({"moons.yaml": MOONS}, sweep).json


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
