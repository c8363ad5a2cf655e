"""Networks to predict with: each is trained once, and tests have copies of its folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nnrun.cli import cli
from nnrun.models.load import load
from nnrun.runs.catalog.select import select_run
from tests.cli.conftest import write

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


def _houses() -> None:
    write("houses.csv", HOUSES)


def _clothes() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 2, 3)), rng.integers(2, size=40) + 7
    np.savez("clothes.npz", x=x, y=y)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Makes the folder of a config, its data and its run; None for data that are built in."""
    made: dict[str, Path] = {}

    def make(name: str, config: str, data: Callable[[], None] | None) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(made[name])
                if data is not None:
                    data()
                done = CliRunner().invoke(cli, ["train", write(f"{name}.yaml", config)])
            assert 0 == done.exit_code
        return made[name]

    return make


@pytest.fixture
def copied(trained, folder):
    """Copies such a folder into the current one, and loads its network."""

    def copy(name: str, config: str, data: Callable[[], None] | None = None):
        shutil.copytree(trained(name, config, data), folder, dirs_exist_ok=True)
        return load(select_run(name, Path("results")))

    return copy


@pytest.fixture
def prices(copied):
    """A regression from a file with a category."""
    return copied("prices", PRICES, _houses)


@pytest.fixture
def flowers(copied):
    """Species of irises."""
    return copied("flowers", FLOWERS)


@pytest.fixture
def clothes(copied):
    """Two classes that are numbers, from an npz file."""
    return copied("clothes", CLOTHES, _clothes)
