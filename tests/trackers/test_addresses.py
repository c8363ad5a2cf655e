"""Wrong addresses are mistakes of the user: nothing is trained, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

import nnrun
from nnrun.errors import UsageError
from tests.lab import refused

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
