"""Leaderboards, choices and lists by any metric that reports have."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from nnrun.cli import cli
from tests.cli.conftest import write

MOONS = """\
dataset: {name: moons, rows: 200, validation_size: 0.2}
network: {sizes: [4, 2], activations: [tanh, softmax]}
loss: cross_entropy
metrics: [mcc]
training: {learning_rate: 0.1, iterations: 200, engine: numpy}
sweep: {seeds: 2, grid: {training.learning_rate: [0.1, 0.001]}}
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder with a sweep of two settings with two seeds, ordered by the Brier score."""
    place = tmp_path_factory.mktemp("moons")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        write("moons.yaml", MOONS)
        words = ["sweep", "moons.yaml", "--order-by", "brier", "-j", "1", "--json"]
        done = CliRunner().invoke(cli, words)
    assert 0 == done.exit_code, done.output
    return place, json.loads(done.stdout)


@pytest.fixture
def moons(swept, folder):
    """The current folder is a copy of it; what the sweep printed."""
    place, printed = swept
    shutil.copytree(place, folder, dirs_exist_ok=True)
    return printed


def test_a_sweep_is_ordered_by_what_is_asked_for(nnrun, moons):
    """Smaller Brier scores come first; lists and choices go by it, too."""
    (group,) = moons["leaderboard"]["groups"]
    means = [row["mean"] for row in group["rows"]]
    assert ("brier", False, sorted(means)) == (group["metric"], group["larger_is_better"], means)
    assert "brier" == json.loads(nnrun("best", "moons", "--json").stdout)["metric"]
    assert {"brier"} == {run["metric"] for run in json.loads(nnrun("ls", "--json").stdout)}


def test_stored_runs_are_ordered_by_what_they_have(nnrun, moons):
    """On the boards of `best`, `compare` and `report`, and in lists."""
    best = json.loads(nnrun("best", "moons", "--order-by", "mcc", "--json").stdout)
    assert ("mcc", "validation") == (best["metric"], best["ordered_by"])
    listed = json.loads(nnrun("ls", "--sort", "test_mcc", "--json").stdout)
    values = [run["metrics"]["test_mcc"] for run in listed]
    assert sorted(values, reverse=True) == values
    runs = [f"moons/{run['run_id']}" for run in listed[::3]]
    shown = json.loads(nnrun("compare", *runs, "--order-by", "log_loss", "--json").stdout)
    assert ["log_loss"] == [group["metric"] for group in shown["leaderboard"]["groups"]]
    assert 0 == nnrun("report", "--order-by", "mcc", "-q").exit_code


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
def test_a_board_names_the_command_that_chooses_by_its_metric(nnrun, moons, metric, words):
    """And `moons/best` only where that goes by the same metric."""
    shown = nnrun("sweep", "moons.yaml", "--order-by", metric)
    assert words in shown.stdout


@pytest.mark.parametrize("command", ["best", "compare", "report"])
def test_a_metric_that_no_run_has_is_refused(nnrun, moons, command):
    """With what adds it."""
    listed = json.loads(nnrun("ls", "--json").stdout)
    runs = {"best": ["moons"], "report": []}
    given = runs.get(command, [f"moons/{run['run_id']}" for run in listed])
    refused = nnrun(command, *given, "--order-by", "roc_auc")
    assert 2 == refused.exit_code
    assert "--order-by roc_auc: no run here has it; add it to `metrics`" in refused.stderr


def test_a_metric_of_another_task_is_refused(nnrun, moons):
    """Without the advice to add it."""
    refused = nnrun("best", "moons", "--order-by", "r2")
    words = "no run here has it; it is for regression, and they are classification\n"
    assert (2, True) == (refused.exit_code, refused.stderr.endswith(words))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("auc", "did you mean 'roc_auc'?"),
        ("test_mcc", "write 'mcc', the split is implied"),
        ("zzz", "`nnrun help metrics` lists them"),
    ],
)
def test_a_name_that_is_no_metric_is_refused(nnrun, name, hint):
    """With the name that may be meant."""
    refused = nnrun("best", "moons", "--order-by", name)
    assert 2 == refused.exit_code
    assert f"'{name}' is not a metric; {hint}" in refused.stderr


def test_lists_and_boards_name_a_metric_as_reports_do(nnrun, moons):
    """With its split."""
    listed = nnrun("ls", "--sort", "mcc", "--md").stdout
    assert "| settings | validation MCC | test Brier score |" in listed
    assert "validation log loss" in nnrun("best", "moons", "--order-by", "log_loss").stderr
    board = nnrun("ls", "--leaderboard", "moons").stdout
    assert "moons: Brier score, ordered by the validation split" in board
