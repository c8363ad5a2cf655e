"""`nnrun report` takes runs by any of their names, and leaves nothing half-written."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from tests.lab import CARS


@pytest.fixture
def two_cars(lab):
    """Two runs of one experiment."""
    lab.begin({"cars.yaml": CARS}, "train cars.yaml", "train cars.yaml seed=4")


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
def test_runs_are_named_as_everywhere(lab, two_cars, words, runs) -> None:
    """A folder that holds runs stands for all of them."""
    found = lab.ok("report", *words, "--json")
    data = found.json
    assert ("report.html", runs) == (data["file"], data["runs"])
    assert Path("report.html").stat().st_size == data["bytes"]


def test_it_says_where_it_wrote(lab, two_cars) -> None:
    """On stderr, unless asked to be quiet."""
    found = lab("report", "-o", "deep.html")
    assert ("", True) == (found.out, "wrote deep.html: 2 runs" in found.err)
    assert "" == lab("report", "-q").said


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
def test_mistakes_are_reported(lab, two_cars, words, message) -> None:
    """With exit code 2, and no file."""
    assert message in lab.refused(*words)
    assert not [*Path().glob("report.html"), *Path().glob("x*")]


def test_a_place_where_nothing_can_be_written_is_reported(lab, two_cars) -> None:
    """A folder below a file is none."""
    Path("file").touch()
    assert "'file' is no folder" in lab.refused("report", "--figures", "file/figures")


@pytest.mark.parametrize(
    "words", [["report"], ["help"], ["schema"], ["predict", "cars", "auto.csv"], ["export", "cars"]]
)
def test_no_command_makes_the_folder_of_its_file(lab, two_cars, words) -> None:
    """A slip of the pen makes none: exit code 2, with the command that does, and nothing there."""
    name = {"export": "m.py", "help": "site", "predict": "m.csv"}.get(words[0], "m.html")
    found = lab(*words, "-o", f"no where/deep/{name}")
    said = f"-o no where/deep/{name}: there is no folder no where/deep; mkdir -p 'no where/deep'"
    assert (2, True) == (found.code, said in found.err)
    assert not Path("no where").exists()
    Path("file").touch()
    assert f"-o file/{name}: file is no folder" in lab.refused(*words, "-o", f"file/{name}")


def test_no_folder_is_left_where_figures_cannot_be_written(lab, two_cars, monkeypatch) -> None:
    """Neither the last one nor those around it, unless they were there or hold something."""

    def full(folder: Path, contents: dict[str, bytes]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / min(contents)))

    monkeypatch.setattr("nnrun.cli.report.write_together", full)
    Path("there").mkdir()
    found = lab("report", "--figures", "there/deep/figures")
    assert (1, True) == (found.code, "No space left on device" in found.err)
    assert [] == list(Path("there").iterdir())


def test_figures_are_files_of_their_own(lab, two_cars) -> None:
    """Every chart, numbered and named for what it shows; a report only if asked for as well."""
    found = lab("report", "--figures", "deep/figures", "--json")
    names = found.json["figures"]
    assert names == sorted(path.name for path in Path("deep/figures").iterdir())
    assert "001-learning-curves-autompg-train-loss.svg" == names[0]
    assert not Path("report.html").exists()
    lab.ok("report", "--figures", "figures", "-o", "also.html")
    assert Path("also.html").exists()


def test_a_missing_extra_is_reported(lab, two_cars, monkeypatch) -> None:
    """With the command that brings it, and nothing written."""
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    assert "pip install 'nnrun[figures]'" in lab.refused(
        "report", "--figures", "figures", "--format", "pdf"
    )
    assert not Path("figures").exists()
