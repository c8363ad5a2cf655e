"""What trackers are fed, its limits, and addresses that are wrong."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import nnrun
from nnrun.errors import UsageError
from nnrun.trackers.feed import Feed, TrackedRun
from nnrun.trackers.servers import key, params
from tests.lab import refused

# Trackers get what runs say, in order; one that is down or slow costs no run.


@pytest.fixture
def said():
    return []


def fail(tracker):
    raise ConnectionResetError(104, "Connection reset by peer\nmore")


def test_tasks_come_in_order(said):
    """All of them, in one thread that is not the caller's, and the tracker is closed."""
    seen = []

    class Tracker:
        def close(self):
            seen.append("closed")

    feed = Feed("it", Tracker, said.append)
    for number in range(5):
        feed.send("a/s1", lambda tracker, number=number: seen.append(number))
    feed.send("a/s1", lambda tracker: seen.append(threading.current_thread().name))
    feed.close()
    assert [0, 1, 2, 3, 4, "it", "closed"] == seen
    assert [] == said


def test_a_tracker_that_is_down_is_said_once(said):
    """With the reason on one line; and at the end how many runs it lacks."""

    def opened():
        raise ConnectionRefusedError(111, "Connection refused")

    feed = Feed("MLflow at x", opened, said.append)
    for run in ("a/s1", "a/s1", "a/s2"):
        feed.send(run, lambda tracker: None)
    feed.close()
    assert [
        "MLflow at x: Connection refused; runs are kept without it",
        "MLflow at x lacks 2 runs, or parts of them; the same command sends them",
    ] == said


def test_one_failure_is_no_reason_to_give_up(said):
    """Three in a row are."""
    seen = []

    class Tracker:
        def close(self):
            pass

    feed = Feed("it", Tracker, said.append)
    for number in range(6):
        feed.send(f"a/s{number}", fail if number % 2 else lambda _, n=number: seen.append(n))
    feed.close()
    assert [0, 2, 4] == seen
    assert "it lacks 3 runs" in said[-1]
    feed = Feed("it", Tracker, said.append)
    for number in range(3):
        feed.send(f"a/s{number}", fail)
    feed.send("a/s4", lambda _: seen.append("too late"))
    feed.close()
    assert ([0, 2, 4], 2) == (seen, sum("Connection reset" in text for text in said))
    assert "it lacks 4 runs" in said[-1]


def test_a_tracker_that_does_not_answer_is_waited_for_briefly(said, monkeypatch):
    """No call waits for it but the last one; what it was not sent is lost, and so is the rest."""
    monkeypatch.setattr("nnrun.trackers.feed._ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("nnrun.trackers.feed._MOST_QUEUED", 3)
    answers = threading.Event()
    feed = Feed("it", lambda: None, said.append)
    feed.send("a/s0", lambda tracker: answers.wait(10))
    while not feed._tasks.empty():
        time.sleep(0.001)
    for number in range(1, 6):
        feed.send(f"a/s{number}", lambda tracker: None)
    feed.close()
    answers.set()
    assert "it: there is no answer; runs are kept without it" == said[0]
    assert "it lacks 6 runs" in said[1]


# What MLflow's server refuses is not sent.


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("training.learning_rate", "training.learning_rate"),
        ("final/test_accuracy", "final/test_accuracy"),
        ("dataset.columns.embedding.Größe (m²)", "dataset.columns.embedding.Größe _m²_"),
        ("a:b\nc\x1b", "a_b_c_"),
        ("..", "_"),
        ("../../etc/passwd", "_/_/etc/passwd"),
        ("/a//b/", "_/a/_/b/_"),
        ("", "_"),
        ("k" * 300, "k" * 250),
    ],
)
def test_keys(name, sent):
    """Letters, digits, `_`, `-`, `.` and blanks; no part of a path leads up, or is empty."""
    assert sent == key(name)


def test_params_that_become_equal_stay_apart():
    """By a number; long values are cut."""
    long = "k" * 260
    found = params({"a?": 1, "a!": [1, 2], "a*": "x" * 600, f"{long}1": True, f"{long}2": False})
    assert {"a_": "1", "a_ 2": "[1, 2]"}.items() <= found.items()
    assert ("x" * 499 + "…", "true") == (found["a_ 3"], found["k" * 250])
    assert "false" == found["k" * 248 + " 2"]


def test_settings_are_those_that_are_set():
    """By dotted keys, without names, texts and published numbers."""
    config = {
        "name": "a", "description": "b", "published": {"test_mse": 1.0}, "seed": 0,
        "training": {"clip_norm": None, "watch": False}, "metrics": [],
        "network": {"layers": [{"type": "dense", "units": 3}]},
    }  # fmt: skip
    expected = {"seed": 0, "training.watch": False, "network.layers.0.type": "dense"}
    expected |= {"network.layers.0.units": 3}
    assert expected == TrackedRun("a", "s0-1", config, "").settings


# Wrong addresses are mistakes of the user: nothing is trained, and nothing written.

YAML = """
name: flowers
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {iterations: 20, learning_rate: 0.1}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("flowers.yaml").write_text(YAML)
    Path("file").touch()


def everything():
    return {str(path) for path in Path().rglob("*")}


@pytest.mark.parametrize("command", ["train", "sweep"])
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--mlflow", ""], "mlflow: '' is not the address of a server, such as http://127.0.0.1"),
        (["--mlflow", "127.0.0.1:5000"], "mlflow: '127.0.0.1:5000' is not the address"),
        (["--mlflow", "./mlruns"], "`mlflow server` starts one"),
        (["--mlflow", "http://x:port"], "mlflow: 'http://x:port' is not the address"),
        (["--mlflow", "sqlite:///runs.db"], "is not the address of a server"),
        (["--tensorboard", "file"], "is a file"),
        (["--tensorboard", "file/in"], "'file' is no folder; name one, or a new one"),
        (["--tensorboard", "results"], "tensorboard: results is in the results folder"),
        (["--tensorboard", "results/tb"], "is in the results folder; take one beside it"),
    ],
)
def test_a_wrong_address_is_refused(command, words, why):
    """Before anything begins; the error says what is wrong with it."""
    before = everything()
    message = refused(command, "flowers.yaml", *words)
    assert why in message.replace("\n", " ")
    assert before == everything()


def test_a_missing_package_is_said(monkeypatch):
    """With the extra that brings it, also in Python."""
    monkeypatch.setattr("nnrun.trackers.tracking.find_spec", lambda name: None)
    for given in ({"mlflow": "http://127.0.0.1:5000"}, {"tensorboard": "tb"}):
        (extra,) = given
        with pytest.raises(UsageError, match=rf"pip install 'nnrun\[{extra}\]'"):
            nnrun.train("flowers.yaml", **given)
    assert not Path("results").exists()


def test_passwords_are_not_repeated(monkeypatch):
    """A server that cannot be reached is named without them."""
    monkeypatch.setattr("nnrun.trackers.tracking.find_spec", lambda name: True)
    monkeypatch.setattr("nnrun.trackers.servers._reach", refuse_connection)
    with pytest.warns(UserWarning, match="MLflow at") as warned:
        run = nnrun.train("flowers.yaml", mlflow="http://me:secret@127.0.0.1:9")
    assert "completed" == run.status
    assert [
        "MLflow at http://127.0.0.1:9: Connection refused; runs are kept without it",
        "MLflow at http://127.0.0.1:9 lacks 1 run, or parts of them; the same command sends them",
    ] == [str(one.message) for one in warned]


def refuse_connection(uri):
    raise ConnectionRefusedError(111, "Connection refused")
