"""Config files for tests, and the problems_of about them in a form that is short to compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest

from nnrun.config.load import load_config
from nnrun.config.schema.experiment import json_schema
from nnrun.errors import ConfigError, Problem

VALID = """\
dataset: {name: boston}
network: {sizes: [13, 1], activations: [sigmoid, linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 100}
"""


@pytest.fixture(scope="module")
def examples_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the files of all examples of a test."""
    return tmp_path_factory.mktemp("configs")


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """The schema, ready to check data."""
    return jsonschema.Draft202012Validator(json_schema())


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write text or bytes to a config file and return its path."""

    def write(content: str | bytes, name: str = "experiment.yaml") -> Path:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
        return file

    return write


def head(problem: Problem) -> str:
    """`line:column: path: message` of a problem in a file, or what `str` says of an argument's."""
    first = str(problem).split("\n")[0]
    if problem.place is None:
        return first
    return first.removeprefix(f"{problem.place.file}:")


@pytest.fixture
def problems_of(write: Callable[..., Path]) -> Callable[..., list[str]]:
    """The heads of all problems of a config file with these arguments, in order."""

    def problems_of(
        content: str | bytes, *arguments: str, name: str = "experiment.yaml", **options: int
    ) -> list[str]:
        file = write(content, name)
        with pytest.raises(ConfigError) as error:
            load_config(file, arguments, **options)
        return [head(problem) for problem in error.value.problems]

    return problems_of


@pytest.fixture
def valid() -> str:
    """A small valid config in four lines."""
    return VALID
