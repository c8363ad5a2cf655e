"""Sweeps of small configs, in this process and as commands in a shell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Sweep
from nnrun.sweeps.workers import base as processes
from nnrun.systems import system
from tests.sweeps.helpers import IRIS, Diary, Shell, make_store


@pytest.fixture
def write(tmp_path):
    """Writes a config, `<name>.yaml`."""

    def config(name: str, text: str = IRIS, folder: str = "configs") -> Path:
        path = tmp_path / folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return config


@pytest.fixture
def slow_workers(monkeypatch, loaded_workers):
    """Workers that import what they need, and are not ready at once."""
    monkeypatch.setattr(system, "start_with_socket", loaded_workers)


@pytest.fixture
def plan():
    """Makes a plan from files and arguments."""

    def make(*words, seeds=None, iterations=None):
        files = [word for word in words if isinstance(word, Path)]
        arguments = [word for word in words if isinstance(word, str)]
        origins = {str(file): file for file in files}
        return make_plan(origins, Arguments.parse(arguments, seeds, iterations), Datasets())

    return make


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "results")


@pytest.fixture
def sweep(store):
    """Makes a sweep of a plan into the results folder."""

    def make(plan, results=store, stopped=lambda: False, listener=None, **switches):
        return Sweep(plan, results, Datasets(), listener or Diary(), stopped, **switches)

    return make


@pytest.fixture
def shell(tmp_path) -> Iterator[Shell]:
    running = Shell(tmp_path)
    yield running
    running.close()


@pytest.fixture
def wide(lab, monkeypatch):
    """Commands in an empty folder, whose output is 200 columns wide."""
    monkeypatch.setenv("COLUMNS", "200")
    return lab


@pytest.fixture
def worker_module(tmp_path, monkeypatch):
    """Makes worker processes run this text."""

    def write(text):
        (tmp_path / "worker_module.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(processes, "_MODULE", "worker_module")

    return write
