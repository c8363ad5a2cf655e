"""Folders of runs that are damaged, and disks that fail."""

from __future__ import annotations

import functools
import html
import json
import multiprocessing
import operator
import os
import random
from collections.abc import Iterable, Iterator
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnrun
from nnrun.errors import UsageError
from nnrun.runs.storage.reading import REPORT
from tests.forging import forge, said
from tests.hostile.disk import Disk
from tests.lab import Answer, Lab, invoke
from tests.sweeps.helpers import large, weights_of

# Run folders with one changed file: no command uses it or crashes.

pytestmark = pytest.mark.campaign

FLIPS, REPORT_FLIPS = (1000, 2000) if large() else (8, 5)
CONFIG = """\
name: flowers
dataset: {name: iris, features: standard}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training:
  {optimizer: {type: sgd, momentum: 0.9}, learning_rate: 0.1, iterations: 20, engine: numpy}
"""
COMMANDS = [
    *("ls", "ls --json", "show flowers/s1", "show flowers/s1 --json", "show latest"),
    *("compare flowers/s1 flowers/s2", "report -o r.html", "report flowers/s1 -o r.html"),
    *("predict flowers/s1 new.npz", "export flowers/s1 -o m.onnx", "export flowers/s1 -o m.py"),
    *("verify flowers/s1", "verify -j 1", "train flowers/s1 --extend 3", "train flowers.yaml"),
    *("sweep flowers.yaml -j 1 --dry-run", "sweep flowers.yaml -j 1"),
]
# The exit code of each command that looks at a run whose report was changed.
NOTICED = {
    **dict.fromkeys(["ls", "ls --json", "ls --sort test --top 5"], 0),
    **dict.fromkeys(["show flowers/s1", "show flowers/s1 --json"], 0),
    **dict.fromkeys(["report -o r.html", "report flowers/s1 -o r.html"], 0),
    **dict.fromkeys(["sweep flowers.yaml -j 1 --dry-run"], 0),
    **dict.fromkeys(["sweep flowers.yaml -j 1"], 1),
    **dict.fromkeys(["compare flowers/s1 flowers/s2", "predict flowers/s1 new.npz"], 2),
    **dict.fromkeys(["export flowers/s1 -o m.onnx", "export flowers/s1 -o m.py"], 2),
    **dict.fromkeys(["train flowers/s1 --extend 3", "train flowers.yaml"], 2),
    **dict.fromkeys(["verify flowers/s1", "verify -j 1"], 3),
}
# The file that each of these works with, besides the report: none may do so where it has changed.
USED = {
    "predict": {"model.safetensors"},
    "export": {"model.safetensors"},
    "train flowers/s1": {"config.yaml", "history.csv", "model.safetensors", "state.safetensors"},
}
KINDS = ["gone", "fifo", "device", "loop", "folder", "huge", "empty"]


class Folder:
    """A run of two in a results folder, which is put right again after each trial."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "flowers.yaml").write_text(CONFIG)
        np.savez(root / "new.npz", x=np.arange(12.0).reshape(3, 4))
        assert 0 == self.run("sweep flowers.yaml seed=1,2 -j 1").code
        (root / "flowers.yaml").write_text(f"{CONFIG}seed: 1\n")
        (self.path,) = root.glob("results/flowers/s1-*")
        self.files = {path.name: path.read_bytes() for path in self.path.iterdir()}
        self.expected = {words: self.run(words) for words in COMMANDS}
        assert {0} == {result.code for result in self.expected.values()}
        self.restore()

    @staticmethod
    def run(words: str) -> Answer:
        return invoke(*words.split())

    def trials(self, commands: Iterable[str] = COMMANDS) -> Iterator[tuple[str, Answer]]:
        """What each command makes of the folder as it is."""
        for words in commands:
            result = self.run(words)
            message = f"{words}: {result.code} {result.said[-1000:]}"
            assert result.code in (0, 1, 2, 3), message
            assert "internal error" not in result.said, message
            assert "Traceback" not in result.said, message
            yield words, result

    def restore(self) -> None:
        """As it was, without runs that went on from it."""
        for path in [*self.path.iterdir()]:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        for name, content in self.files.items():
            (self.path / name).write_bytes(content)
        for folder in self.path.parent.iterdir():
            report = json.loads((folder / "report.json").read_text())
            if report["extended_from"] is not None:
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()


@pytest.fixture(scope="module")
def tampered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("tampered")
        patch.chdir(root)
        patch.setenv("COLUMNS", "200")
        yield Folder(root)


def uses(words: str, name: str) -> bool:
    return any(words.startswith(start) and name in files for start, files in USED.items())


def test_a_flipped_bit_is_not_believed(tampered: Folder) -> None:
    """Any bit of any file: `verify` names the file, and what works with it refuses."""
    draw = random.Random(5)
    for _ in range(FLIPS):
        name = draw.choice(sorted(tampered.files))
        content = bytearray(tampered.files[name])
        bit = draw.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        (tampered.path / name).write_bytes(content)
        for words, result in tampered.trials():
            if uses(words, name):
                assert (2, True) == (result.code, f"{name} is not the file" in result.err)
            if words.startswith("verify"):
                assert 3 == result.code
                assert f"is damaged: {name} is not the file that was written" in result.err
            if words.startswith("predict") and result.code == 0:
                assert tampered.expected[words].out == result.out
        tampered.restore()


@pytest.mark.parametrize("index", [False, True], ids=["no index", "index"])
def test_every_command_notices_each_flipped_bit_of_a_report(
    tampered: Folder, index: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever it is: the run is damaged, with and without an index that knew it before."""
    monkeypatch.setattr("nnrun.runs.catalog.index.WORTH", 1 if index else 10**9)
    draw = random.Random(12)
    content = tampered.files["report.json"]
    message = "report.json is not the file that was written"
    for bit in draw.sample(range(8 * len(content)), REPORT_FLIPS):
        tampered.restore()
        assert "damaged" not in tampered.run("ls").out
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        (tampered.path / "report.json").write_bytes(changed)
        for words, code in NOTICED.items():
            result = tampered.run(words)
            shown = result.said
            if words.startswith("report"):
                shown = html.unescape(Path("r.html").read_text(encoding="utf-8"))
            why = "damaged" if words.startswith("ls") and "json" not in words else message
            assert (code, True) == (result.code, why in " ".join(shown.split())), (bit, words)
        with pytest.raises(UsageError, match=message):
            nnrun.load("flowers/s1")
        board = json.loads(Path("results/leaderboard.json").read_text())
        (row,) = board["groups"][0]["rows"]
        assert (0, 1, None) == (row["completed"], row["failed"], row["test"])
    tampered.restore()


def places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a report; of a list, the first two entries."""
    inside = list(value.items()) if isinstance(value, dict) else []
    inside += list(enumerate(value))[:2] if isinstance(value, list) else []
    for key, entry in inside:
        yield *path, key
        yield from places(entry, *path, key)


@pytest.mark.parametrize("other", ["gone", None, "x", {}])
def test_whatever_stands_in_a_report_it_is_shown_or_damaged(
    tampered: Folder, other: object
) -> None:
    """Whichever part of it is lacking or of another kind."""
    report = tampered.path / "report.json"
    found = list(places(said(report)))
    for path in found if large() else random.Random(7).sample(found, 15):
        content = said(report)
        part = functools.reduce(operator.getitem, path[:-1], content)
        if other == "gone":
            del part[path[-1]]
        else:
            part[path[-1]] = other
        forge(report, content)
        for words in ("ls", "show flowers/s1", "train flowers.yaml"):
            result = tampered.run(words)
            assert result.code in (0, 2), (path, result.said)
            assert "internal error" not in result.said, (path, result.said)
        tampered.restore()


def test_a_report_shows_no_curve_that_was_changed(tampered: Folder) -> None:
    """It says why, for the run itself and where curves are drawn together."""
    path = tampered.path / "history.csv"
    shown = {}
    for content in (path.read_bytes(), path.read_bytes().replace(b"0.", b"1.")):
        path.write_bytes(content)
        assert 0 == tampered.run("report -o r.html").code
        shown[content] = Path("r.html").read_text(encoding="utf-8")
    sound, changed = shown.values()
    message = "Its learning curve cannot be shown: history.csv is not the file that was written."
    assert (0, 1) == (sound.count(message), changed.count(message))
    assert changed.count("<polyline") + changed.count("<path") < sound.count("<polyline") + (
        sound.count("<path")
    )
    tampered.restore()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_any_more_stops_nothing(tampered: Folder, kind: str) -> None:
    """Whichever file it takes the place of: commands that need that one say so. Of the others, a
    third is tried with each.
    """
    for number, name in enumerate(tampered.files, start=KINDS.index(kind)):
        some = COMMANDS if large() else COMMANDS[number % 3 :: 3]
        path = tampered.path / name
        path.unlink()
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        elif kind == "loop":
            path.symlink_to(name)
        elif kind == "folder":
            path.mkdir()
        elif kind == "huge":
            path.touch()
            os.truncate(path, 2**40)
        elif kind == "empty":
            path.touch()
        for words, result in tampered.trials(
            words for words in COMMANDS if words in some or uses(words, name)
        ):
            if uses(words, name):
                assert 2 == result.code, (words, name)
            if words.startswith("verify") and (name, kind) != ("report.json", "gone"):
                assert (3, True) == (result.code, name in result.err)
        tampered.restore()


# A disk that fails or fills up at any moment costs the step in hand, and nothing else.

SMALL_CONFIG = """\
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 40, engine: numpy}
"""
TRAIN = ("train", "a.yaml")
SWEEP = ("sweep", "a.yaml", "--seeds", "2", "-j", "1")
FAIL_FAST = (*SWEEP, "--fail-fast")
TRAINING = [TRAIN, SWEEP]
FAILING = [*TRAINING, FAIL_FAST]
SIZES = 50 if large() else 8


@pytest.fixture
def expected(folder: Path, lab: Lab) -> dict[str, dict[str, str]]:
    """The weights of every command where nothing fails, by command."""
    (folder / "a.yaml").write_text(SMALL_CONFIG)
    found = {}
    for words in TRAINING:
        lab.ok(*words, "--results", words[0])
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
    lab: Lab,
    expected: dict[str, dict[str, str]],
    root: Path,
) -> bool:
    """Run the command on this disk and again on a sound one; whether the disk failed."""
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch)
        answer = lab(*words, "--results", root.name)
    assert (1 if disk.failed else 0) == answer.code, answer
    if disk.failed:
        assert "No space left on device" in answer.err
        assert ".partial" not in answer.err
        assert "internal error" not in answer.said
    hold(root)
    again = lab(*words, "--results", root.name)
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
    lab: Lab,
    expected: dict[str, dict[str, str]],
    folder: Path,
) -> None:
    """The n-th write, fsync and rename fails, for every n: exit 1, and the same bits after it."""
    roots = (folder / f"r{number}" for number in count())
    disks = zip(failures(operation), roots, strict=False)
    survived = list(
        takewhile(bool, (survive(disk, words, lab, expected, root) for disk, root in disks))
    )
    assert len(survived) >= (5 if words == TRAIN else 10)


@pytest.mark.parametrize("words", TRAINING, ids=["train", "sweep"])
def test_every_size_of_a_full_disk_is_survived(
    words: tuple[str, ...],
    lab: Lab,
    expected: dict[str, dict[str, str]],
    folder: Path,
) -> None:
    """From no room at all to nearly enough: exit 1 with the file's name, and then the same bits."""
    needed = sum(path.stat().st_size for path in (folder / words[0]).rglob("*") if path.is_file())
    for number in range(SIZES):
        disk = Disk(room=needed * number // SIZES)
        assert survive(disk, words, lab, expected, folder / f"r{number}")


def _train(folder: str, results: str) -> int:

    words = ["train", f"{folder}/a.yaml", "--results", results]
    return invoke(*words).code


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
