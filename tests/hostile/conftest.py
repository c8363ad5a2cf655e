"""What the hostile tests share: the command line, run in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnrun.cli import cli

REPORT = "report.json"


@dataclass(frozen=True)
class Answer:
    """What the shell would see."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything."""
        return self.out + self.err


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty working folder."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


@pytest.fixture
def nnrun(folder: Path) -> Callable[..., Answer]:
    """Runs a command in that folder."""

    def run(*words: object) -> Answer:
        done = CliRunner().invoke(cli, [str(word) for word in words], prog_name="nnrun")
        return Answer(done.exit_code, done.stdout, done.stderr)

    return run
