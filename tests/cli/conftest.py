"""Commands run in an empty folder: in this process, or as a process of their own."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests import forked
from tests.lab import CARS, write


@pytest.fixture(autouse=True)
def _empty_folder(folder):
    """Commands run in a folder of their own."""


@pytest.fixture
def cars():
    """A small regression that trains in no time, as a file of the current folder."""
    return write("cars.yaml", CARS)


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
