"""`nnrun report` takes runs by any of their names, and leaves nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

import pytest


@pytest.fixture
def trained(nnrun, cars):
    """Two runs of one experiment."""
    for seed in (3, 4):
        assert 0 == nnrun("train", cars, f"seed={seed}").exit_code


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        ([], 2),
        (["cars"], 1),
        (["latest"], 1),
        (["cars/s3"], 1),
        (["results/cars"], 2),
        (["results"], 2),
        (["cars/s3", "cars/s4", "cars/s3"], 2),
    ],
)
def test_runs_are_named_as_everywhere(nnrun, trained, words, runs) -> None:
    """A folder that holds runs stands for all of them."""
    found = nnrun("report", *words, "--json")
    assert 0 == found.exit_code
    data = json.loads(found.stdout)
    assert ("report.html", runs) == (data["file"], data["runs"])
    assert Path("report.html").stat().st_size == data["bytes"]


def test_it_says_where_it_wrote(nnrun, trained) -> None:
    """On stderr, unless asked to be quiet."""
    found = nnrun("report", "-o", "deep.html")
    assert ("", True) == (found.stdout, "wrote deep.html: 2 runs" in found.stderr)
    assert "" == nnrun("report", "-q").output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "nobody"], "no run in results is called 'nobody'"),
        (["report", "--results", "nowhere"], "there is no results folder nowhere"),
        (["report", "--results", "."], "there is no run in ."),
        (["report", "-o", "x.pdf"], "-o x.pdf: a report is HTML, in a file whose name ends in .h"),
        (["report", "-o", "x"], "--figures DIR with --format pdf, png or svg writes its charts"),
    ],
)
def test_mistakes_are_reported(nnrun, trained, words, message) -> None:
    """With exit code 2, and no file."""
    found = nnrun(*words)
    assert (2, True) == (found.exit_code, message in found.stderr)
    assert not [*Path().glob("report.html"), *Path().glob("x*")]


def test_a_place_where_nothing_can_be_written_is_reported(nnrun, trained) -> None:
    """With exit code 1, and without a traceback."""
    Path("file").touch()
    found = nnrun("report", "--figures", "file/figures")
    assert (1, True) == (found.exit_code, "file/figures cannot be written" in found.stderr)


@pytest.mark.parametrize(
    "words", [["report"], ["help"], ["schema"], ["predict", "cars", "auto.csv"], ["export", "cars"]]
)
def test_no_command_makes_the_folder_of_its_file(nnrun, trained, words) -> None:
    """A slip of the pen makes none: exit code 2, with the command that does, and nothing there."""
    name = {"export": "m.py", "help": "site", "predict": "m.csv"}.get(words[0], "m.html")
    found = nnrun(*words, "-o", f"no where/deep/{name}")
    said = f"-o no where/deep/{name}: there is no folder no where/deep; mkdir -p 'no where/deep'"
    assert (2, True) == (found.exit_code, said in found.stderr)
    assert not Path("no where").exists()
    Path("file").touch()
    found = nnrun(*words, "-o", f"file/{name}")
    assert (2, True) == (found.exit_code, f"-o file/{name}: file is no folder" in found.stderr)


def test_no_folder_is_left_where_figures_cannot_be_written(nnrun, trained, monkeypatch) -> None:
    """Neither the last one nor those around it, unless they were there or hold something."""

    def full(folder: Path, contents: dict[str, bytes]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / min(contents)))

    monkeypatch.setattr("nnrun.cli.report.write_together", full)
    Path("there").mkdir()
    found = nnrun("report", "--figures", "there/deep/figures")
    assert (1, True) == (found.exit_code, "No space left on device" in found.stderr)
    assert [] == list(Path("there").iterdir())


def test_figures_are_files_of_their_own(nnrun, trained) -> None:
    """Every chart, numbered and named for what it shows; a report only if asked for as well."""
    found = nnrun("report", "--figures", "deep/figures", "--json")
    names = json.loads(found.stdout)["figures"]
    assert names == sorted(path.name for path in Path("deep/figures").iterdir())
    assert "001-learning-curves-autompg-train-loss.svg" == names[0]
    assert not Path("report.html").exists()
    assert 0 == nnrun("report", "--figures", "figures", "-o", "also.html").exit_code
    assert Path("also.html").exists()


def test_a_missing_extra_is_reported(nnrun, trained, monkeypatch) -> None:
    """With the command that brings it, and nothing written."""
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    found = nnrun("report", "--figures", "figures", "--format", "pdf")
    assert (2, True) == (found.exit_code, "pip install 'nnrun[figures]'" in found.stderr)
    assert not Path("figures").exists()
