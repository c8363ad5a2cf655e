"""Runs on a real MLflow server: what it gets, once, and that no run depends on it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import nnrun
from nnrun.cli import cli
from tests.trackers.conftest import CONFIG

pytestmark = pytest.mark.usefixtures("folder")
ALL = 2**15


@pytest.fixture(scope="module")
def client(server):
    from mlflow.tracking import MlflowClient

    return MlflowClient(server.uri)


def named(name, **training):
    return {**CONFIG, "name": name, "training": {**CONFIG["training"], **training}}


def runs_of(client, name):
    experiment = client.get_experiment_by_name(name)
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    return {run.data.tags.get("nnrun.run_id", "parent"): run for run in found}


def curve(client, run, key):
    return [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, key)]


def files(client, run):
    return sorted(file.path for file in client.list_artifacts(run.info.run_id))


def test_a_run_is_there_once(server, client):
    """Settings, curves by iteration, numbers at the end, tags and the report; a second call finds
    it there, and so does one that trains again to the same bits.
    """
    for given in ({}, {}, {"force": True}):
        run = nnrun.train(named("once"), mlflow=server.uri, **given)
    ((run_id, found),) = runs_of(client, "once").items()
    assert (run.run_id, "FINISHED") == (run_id, found.info.status)
    assert run_id == found.info.run_name
    params, tags = found.data.params, found.data.tags
    assert ("0.05", "iris", "42") == tuple(
        params[key] for key in ("training.learning_rate", "dataset.name", "seed")
    )
    assert CONFIG["description"] == tags["mlflow.note.content"]
    assert "once" == tags["nnrun.name"]
    assert run.record.weights_sha256 == tags["nnrun.weights_sha256"]
    expected = [*zip(run.history["iteration"], run.history["test_accuracy"], strict=True)]
    assert expected == curve(client, found, "test_accuracy")
    last = run.metrics["validation"]["loss"]
    assert [(100, last)] == curve(client, found, "final/validation_loss")
    assert ["config.yaml", "report.md"] == files(client, found)


def test_a_sweep_is_nested_in_one_run(server, client):
    """Whatever the number of jobs; more seeds go below the same parent, which has the board."""
    for jobs, seeds in ((1, 2), (2, 4)):
        board = nnrun.sweep(
            named("nested"), {"training.learning_rate": [0.1, 0.01]},
            seeds=seeds, jobs=jobs, mlflow=server.uri,
        )  # fmt: skip
    found = runs_of(client, "nested")
    parent = found.pop("parent")
    assert {run.run_id for run in board.runs()} == set(found)
    assert {parent.info.run_id} == {run.data.tags["mlflow.parentRunId"] for run in found.values()}
    assert {"FINISHED"} == {run.info.status for run in [parent, *found.values()]}
    assert {"leaderboard.csv", "leaderboard.md"} <= set(files(client, parent))
    for run in board.runs():
        assert run.history["train_loss"].tolist() == [
            value for _, value in curve(client, found[run.run_id], "train_loss")
        ]


def test_runs_that_were_trained_before_are_sent(server, client):
    """A run that failed or diverged is not FINISHED, and one that a callback stopped is KILLED."""
    nnrun.train(named("before"))
    nnrun.sweep(named("before"), seeds=2, jobs=1, mlflow=server.uri)
    nnrun.train(named("before"), seed=7, mlflow=server.uri, on_evaluation=lambda one: one.stop())
    wild = {"dataset.name": "boston", "network.sizes": [4, 1], "dataset.validation_size": 0}
    wild |= {"network.activations": ["tanh", "linear"], "loss": "mean_squared"}
    lost = nnrun.train(
        named("before", learning_rate=10.0, iterations=2000), wild, mlflow=server.uri
    )
    found = runs_of(client, "before")
    statuses = {run_id: run.info.status for run_id, run in found.items()}
    assert "FAILED" == statuses.pop(lost.run_id)
    assert ["FINISHED"] * 3 + ["KILLED"] == sorted(statuses.values())
    assert "diverged" == found[lost.run_id].data.tags["nnrun.status"]


def test_a_run_that_was_cut_off_continues(server, client):
    """Below the same id, with each evaluation once."""

    def cut(evaluation):
        if evaluation.iteration == 50:
            raise LookupError

    with pytest.raises(LookupError):
        nnrun.train(named("cut"), mlflow=server.uri, on_evaluation=cut)
    ((_, half),) = runs_of(client, "cut").items()
    assert ("KILLED", 5) == (half.info.status, len(curve(client, half, "test_loss")))
    run = nnrun.train(named("cut"), mlflow=server.uri)
    ((_, whole),) = runs_of(client, "cut").items()
    assert (half.info.run_id, "FINISHED") == (whole.info.run_id, whole.info.status)
    assert run.history["iteration"].tolist() == [
        step for step, _ in curve(client, whole, "test_loss")
    ]


def test_the_limits_of_the_server_are_kept(server, client):
    """More than 1,000 numbers, 100 settings, and names with any character."""
    layers = [{"type": "dense", "units": 3, "activation": "tanh"}] * 40
    layers += [{"type": "dense", "units": 3, "activation": "softmax"}]
    hostile = named("limits", iterations=150, evaluate_every=1, engine="numpy")
    hostile = {**hostile, "network": {"layers": layers}, "description": "<b>\n" + "long " * 4000}
    run = nnrun.train(hostile, mlflow=server.uri)
    ((_, found),) = runs_of(client, "limits").items()
    assert len(found.data.params) > 100
    assert list(range(1, 151)) == [step for step, _ in curve(client, found, "train_loss")]
    assert run.run_id == found.info.run_name


def test_a_server_that_dies_costs_no_run(server, client):
    """The sweep goes on and says so once; once the server is back the same command sends all."""
    slow = named("dies", engine="numpy", iterations=3000)
    command = ["sweep", "slow.yaml", "--seeds", "6", "-j", "1", "--mlflow", server.uri]
    Path("slow.yaml").write_text(repr(slow).replace("'", '"'))

    def kill():
        while (
            not (Path("results/dies")).exists()
            or len(list(Path("results").rglob("report.json"))) < 2
        ):
            time.sleep(0.01)
        server.stop()

    thread = threading.Thread(target=kill)
    thread.start()
    done = CliRunner().invoke(cli, command)
    thread.join()
    assert 0 == done.exit_code, done.output
    assert 6 == len(list(Path("results/dies").glob("*/report.json")))
    said = [line for line in done.stderr.splitlines() if "MLflow" in line]
    assert 2 == len(said)
    assert "runs are kept without it" in said[0]
    assert "the same command sends them" in said[1]
    server.start()
    assert 0 == CliRunner().invoke(cli, command).exit_code
    found = runs_of(client, "dies")
    assert 7 == len(found)
    assert {"FINISHED"} == {run.info.status for run in found.values()}


def test_what_the_command_prints_stays_json(server, client):
    """MLflow's client prints nothing amid it, and writes nothing into the working folder."""
    Path("flowers.yaml").write_text(repr(named("json")).replace("'", '"'))
    before = set(Path().iterdir())
    done = CliRunner().invoke(cli, ["train", "flowers.yaml", "--mlflow", server.uri, "--json"])
    assert "completed" == json.loads(done.stdout)["status"]
    assert {Path("results")} == set(Path().iterdir()) - before
    assert "json" in {one.name for one in client.search_experiments()}
