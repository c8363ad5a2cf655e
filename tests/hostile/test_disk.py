"""A disk that fails or fills up at any moment costs the step in hand, and nothing else."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from itertools import count, takewhile
from pathlib import Path

import pytest

from tests.hostile.conftest import REPORT, Answer
from tests.hostile.disk import Disk
from tests.sweeps.helpers import large, weights_of

pytestmark = pytest.mark.campaign

CONFIG = """\
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 40, engine: numpy}
"""
TRAIN = ("train", "a.yaml")
SWEEP = ("sweep", "a.yaml", "--seeds", "2", "-j", "1")
FAIL_FAST = (*SWEEP, "--fail-fast")
COMMANDS = [TRAIN, SWEEP]
FAILING = [*COMMANDS, FAIL_FAST]
SIZES = 50 if large() else 8


@pytest.fixture
def expected(folder: Path, nnrun: Callable[..., Answer]) -> dict[str, dict[str, str]]:
    """The weights of every command where nothing fails, by command."""
    (folder / "a.yaml").write_text(CONFIG)
    found = {}
    for words in COMMANDS:
        assert 0 == nnrun(*words, "--results", words[0]).code
        found[words[0]] = weights_of(folder / words[0])
    return found


def hold(root: Path) -> None:
    """Whatever is there is whole, and nothing is there that is not meant to stay."""
    for path in root.rglob("*"):
        assert not path.name.startswith("."), path
    for report in root.rglob(REPORT):
        record = json.loads(report.read_text())
        if record["status"] == "completed":
            names = {path.name for path in report.parent.iterdir()}
            assert {"config.yaml", "history.csv", "model.safetensors", "report.md"} <= names


def survive(
    disk: Disk,
    words: tuple[str, ...],
    nnrun: Callable[..., Answer],
    expected: dict[str, dict[str, str]],
    root: Path,
) -> bool:
    """Run the command on this disk and again on a sound one; whether the disk failed."""
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch)
        answer = nnrun(*words, "--results", root.name)
    assert (1 if disk.failed else 0) == answer.code, answer
    if disk.failed:
        assert "No space left on device" in answer.err
        assert ".partial" not in answer.err
        assert "internal error" not in answer.said
    hold(root)
    again = nnrun(*words, "--results", root.name)
    assert 0 == again.code, again
    assert expected[words[0]] == weights_of(root)
    hold(root)
    return disk.failed


def failures(operation: str) -> Iterator[Disk]:
    """Disks that fail at the first call, at the second, and so on."""
    yield from (Disk(operation, number) for number in range(1, 1000))


@pytest.mark.parametrize("words", FAILING, ids=["train", "sweep", "fail-fast"])
@pytest.mark.parametrize("operation", ["write", "fsync", "rename"])
def test_every_failure_is_survived(
    words: tuple[str, ...],
    operation: str,
    nnrun: Callable[..., Answer],
    expected: dict[str, dict[str, str]],
    folder: Path,
) -> None:
    """The n-th write, fsync and rename fails, for every n: exit 1, and the same bits after it."""
    roots = (folder / f"r{number}" for number in count())
    disks = zip(failures(operation), roots, strict=False)
    survived = list(
        takewhile(bool, (survive(disk, words, nnrun, expected, root) for disk, root in disks))
    )
    assert len(survived) >= (5 if words == TRAIN else 10)


@pytest.mark.parametrize("words", COMMANDS, ids=["train", "sweep"])
def test_every_size_of_a_full_disk_is_survived(
    words: tuple[str, ...],
    nnrun: Callable[..., Answer],
    expected: dict[str, dict[str, str]],
    folder: Path,
) -> None:
    """From no room at all to nearly enough: exit 1 with the file's name, and then the same bits."""
    needed = sum(path.stat().st_size for path in (folder / words[0]).rglob("*") if path.is_file())
    for number in range(SIZES):
        disk = Disk(room=needed * number // SIZES)
        assert survive(disk, words, nnrun, expected, folder / f"r{number}")


def _train(folder: str, results: str) -> int:
    from click.testing import CliRunner

    from nnrun.cli import cli

    words = ["train", f"{folder}/a.yaml", "--results", results]
    return CliRunner().invoke(cli, words).exit_code


@pytest.mark.parametrize("time", range(10 if large() else 1))
def test_three_processes_on_one_run(
    time: int, folder: Path, expected: dict[str, dict[str, str]]
) -> None:
    """One trains, the others wait and find it; all three end well, with the same bits."""
    root = folder / "shared"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        codes = pool.starmap(_train, [(str(folder), str(root))] * 3)
    assert [0, 0, 0] == codes
    assert expected["train"] == weights_of(root)
    hold(root)
