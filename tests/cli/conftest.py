"""Commands run in an empty folder: in this process, or as a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnrun.cli import cli
from tests import forked

CARS = """\
name: cars
dataset: {name: autompg, features: standard, target: standard}
network: {sizes: [4, 1], activations: [tanh, linear]}
loss: mean_squared
training:
  learning_rate: 0.01
  iterations: 300
  engine: numpy
seed: 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder, and an environment without what users may have set."""
    monkeypatch.chdir(tmp_path)
    for name in ("NNRUN_RESULTS", "NNRUN_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def cars():
    """A small regression that trains in no time, as a file of the current folder."""
    return write("cars.yaml", CARS)


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture
def nnrun():
    """Runs a command in this process."""

    def run(*arguments: str, **options):
        return CliRunner().invoke(cli, list(arguments), **options)

    return run


@pytest.fixture
def start():
    """Starts a command as a process, which is ended with the test."""
    started = []

    def run(*arguments: str, environment: dict[str, str] | None = None, **options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        env = {**os.environ, **(environment or {})}
        process = forked.nnrun(*arguments, text=True, env=env, **pipes)
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def report():
    """Reads the report of the only run there is, as strict JSON, but for its digest of itself."""

    def refuse(name):
        raise AssertionError(f"{name} in what should be strict JSON")

    def read(pattern: str = "results/*/*/report.json"):
        (path,) = Path().glob(pattern)
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
        del content["report_sha256"]
        return content

    return read
