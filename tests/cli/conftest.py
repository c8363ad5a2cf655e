"""Commands run in an empty folder, as a process or in this one, and networks to predict with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from nnrun.models.load import load_model as load
from nnrun.runs.catalog.select import select_run
from tests import forked
from tests.lab import CARS, write

# Commands run in an empty folder: in this process, or as a process of their own.


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


# Networks to predict with: each is trained once, and tests have copies of its folder.

HOUSES = """\
size,colour,price
1,red,5
2,blue,6.5
3,red,7
4.5,green,11
5,blue,9
6,green,13
7,red,15
8,blue,16.5
9,red,19
1.5,green,5
2.5,blue,7
3.5,green,9
"""
NETWORK = "network: {{sizes: [3, {0}], activations: [tanh, {1}]}}\n"
TRAINING = "training: {learning_rate: 0.05, iterations: 40, engine: numpy}\n"
FLOWERS = (
    "name: flowers\ndataset: {name: iris, features: standard}\nloss: cross_entropy\n"
    + NETWORK.format(3, "softmax")
    + TRAINING
)
PRICES = (
    "name: prices\ndataset: {path: houses.csv, features: minmax, target: standard,\n"
    "  test_size: 3, columns: {target: price, categorical: [colour]}, task: regression,\n"
    "  unknown: error}\n"
    "loss: mean_squared\n" + NETWORK.format(1, "linear") + TRAINING
)
CLOTHES = (
    "name: clothes\ndataset: {path: clothes.npz}\nloss: cross_entropy\n"
    + NETWORK.format(2, "softmax")
    + TRAINING
)


def _clothes(path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 2, 3)), rng.integers(2, size=40) + 7
    np.savez(path, x=x, y=y)


def trained_network(lab, name: str, config: str, **files):
    """Train a config once, and load its network from a copy in the current folder."""
    data = {key.replace("_", "."): content for key, content in files.items()}
    lab.begin({**data, f"{name}.yaml": config}, f"train {name}.yaml")
    return load(select_run(name, Path("results")))


@pytest.fixture
def prices(lab):
    """A regression from a file with a category."""
    return trained_network(lab, "prices", PRICES, houses_csv=HOUSES)


@pytest.fixture
def flowers(lab):
    """Species of irises."""
    return trained_network(lab, "flowers", FLOWERS)


@pytest.fixture
def clothes(lab):
    """Two classes that are numbers, from an npz file."""
    return trained_network(lab, "clothes", CLOTHES, clothes_npz=_clothes)
