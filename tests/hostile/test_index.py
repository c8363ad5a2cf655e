"""The index of runs, whatever stands in its place: nothing outside of the results is touched."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from nnrun.runs.catalog import index
from nnrun.runs.catalog.index import FILE, RunIndex, look
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from tests.hostile.mutations import ODD, mutated, one_of, sampled
from tests.hostile.test_fuzz import SMALL, fuzz
from tests.sweeps.helpers import make_store


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder with two runs and no index yet, which is worth one."""
    from nnrun.config.load import load_config

    monkeypatch.setattr(index, "WORTH", 1)
    (tmp_path / "a.yaml").write_bytes(SMALL)
    for seed in (1, 2):
        experiment = load_config(tmp_path / "a.yaml", [f"seed={seed}"])
        train(prepare(experiment), make_store(tmp_path / "results"))
    (tmp_path / "results" / FILE).unlink(missing_ok=True)
    return tmp_path / "results"


def seeds(root: Path) -> list[int]:
    runs = look(root)
    return sorted(run.seed for run in runs)


def to_a_database(root: Path, companion: str) -> Path:
    """A link to a database of the user's, which has a table of runs as well."""
    other = root.parent / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE runs (mine)")
    database.close()
    (root / f"{FILE}{companion}").symlink_to(other)
    return other


def to_a_text(root: Path, companion: str) -> Path:
    """A link to a file of the user's."""
    other = root.parent / "letter.txt"
    other.write_text("Dear reader")
    (root / f"{FILE}{companion}").symlink_to(other)
    return other


@pytest.mark.parametrize("companion", ["", "-journal", "-wal", "-shm"])
@pytest.mark.parametrize("plant", [to_a_database, to_a_text])
def test_no_link_is_written_through(
    plant: Callable[[Path, str], Path], companion: str, results: Path
) -> None:
    """What it leads to stays as it is, and the runs are listed all the same."""
    other = plant(results, companion)
    before = other.read_bytes()
    assert [1, 2] == seeds(results)
    known = RunIndex(results)
    known.refresh(["a"])
    known.find("a", "s1-0000000000")
    known.close()
    assert before == other.read_bytes()


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        os.mkdir,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path.name),
        lambda path: path.symlink_to("nowhere"),
    ],
    ids=["FIFO", "folder", "zeros", "loop", "nothing"],
)
def test_what_is_no_file_is_not_opened(make: Callable[[Path], object], results: Path) -> None:
    """Nothing hangs, and nothing is made where a link leads."""
    make(results / FILE)
    assert [1, 2] == seeds(results)
    RunIndex(results).refresh(["a"])
    assert not (results / "nowhere").exists()


def test_links_that_lead_to_themselves_are_no_runs(results: Path) -> None:
    """Neither beside the experiments nor beside the runs of one."""
    (results / "b").symlink_to("b")
    (results / "a" / "s3-0000000000").symlink_to("s3-0000000000")
    assert [1, 2] == seeds(results)


@pytest.mark.campaign
def test_a_damaged_index_changes_nothing(results: Path) -> None:
    """Whatever bytes stand in it, the runs are those in the folders."""
    assert [1, 2] == seeds(results)
    path = results / FILE
    sound = path.read_bytes()

    def check(content: bytes) -> None:
        for companion in ("-journal", "-wal", "-shm"):
            Path(f"{path}{companion}").unlink(missing_ok=True)
        path.write_bytes(content)
        assert [1, 2] == seeds(results)

    fuzz(one_of(mutated(sound), sampled(ODD)), check)
