"""A folder for configs, data and results, in which commands run within the tests' process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from nnrun.cli import cli

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


class _Output(NamedTuple):
    code: int
    out: str
    err: str


class Answer(_Output):
    """Exit code and output of a command; `said` is all output in the order of writing."""

    said: str

    @property
    def json(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


def invoke(*words: object, stdin: str | bytes | None = None, **environment: str) -> Answer:
    """Run a command in the current folder: `invoke("ls", COLUMNS="90")`."""
    words = [str(word) for word in words]
    done = CliRunner().invoke(cli, words, stdin, environment, prog_name="nnrun")
    answer = Answer(done.exit_code, done.stdout_bytes.decode(errors="replace"), done.stderr)
    answer.said = done.output
    return answer


def invoke_well(*words: object, **options: Any) -> Answer:
    """Run a command that succeeds."""
    answer = invoke(*words, **options)
    assert 0 == answer.code, answer.said
    return answer


def data_of(*words: object, **options: Any) -> Any:
    """Return the data that a command prints as JSON, which succeeds."""
    return invoke_well(*words, "--json", **options).json


def refused(*words: object, **options: Any) -> str:
    """Return the message of a command that is refused with exit code 2 and prints no result."""
    answer = invoke(*words, **options)
    assert (2, "") == (answer.code, answer.out), answer.said
    return answer.err


def write(name: str, content: str | bytes) -> str:
    """Write a file of the current folder; returns its name."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


class Lab:
    """Commands in a folder, which is the current one.

    Args:
        folder: the folder.
        begun: folders in which commands ran once, by their files and commands.
        new: makes an empty folder outside of this one.
    """

    def __init__(self, folder: Path, begun: dict[Any, Any], new: Callable[[], Path]) -> None:
        self.folder = folder
        self._begun = begun
        self._new = new

    def __call__(self, *words: object, **options: Any) -> Answer:
        return invoke(*words, **options)

    ok = staticmethod(invoke_well)
    json = staticmethod(data_of)
    refused = staticmethod(refused)

    def begin(
        self, files: Mapping[str, str | bytes | Callable[[Path], object]], *commands: str
    ) -> Answer | None:
        """Write files, and run commands that succeed, such as `train cars.yaml -q`; return the
        last answer.

        The commands run once, in another folder; each test begins with a copy of that. Files are
        contents by name, or functions that write the path they get.
        """
        key = (*files.items(), *commands)
        if key not in self._begun:
            folder = self._new()
            with chdir(folder):
                for name, content in files.items():
                    if callable(content):
                        content(Path(name))
                    else:
                        write(name, content)
                answers = [invoke_well(*command.split()) for command in commands]
            self._begun[key] = folder, (answers or [None])[-1]
        folder, answer = self._begun[key]
        shutil.copytree(folder, self.folder, dirs_exist_ok=True, symlinks=True)
        return answer

    @staticmethod
    def report(pattern: str = "results/*/*/report.json") -> dict[str, Any]:
        """Return the only report, read as strict JSON, without its digest of itself."""

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} in what should be strict JSON")

        (path,) = Path().glob(pattern)
        content = json.loads(path.read_bytes(), parse_constant=refuse)
        del content["report_sha256"]
        return content
