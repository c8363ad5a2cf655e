"""`nnrun report`, completed runs with warnings, and runs that another version has written."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from tests.forging import revise
from tests.lab import CARS

# `nnrun report` takes runs by any of their names, and leaves nothing half-written.


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
    assert "001-learning-curves-autompg-cars-loss.svg" == names[0]
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


# A run that another version of nnrun has written: every command says so, and what to do.


@pytest.fixture(params=[0, 2])
def run(request, lab, cars):
    """Beside a run that can be read: its folder, and the words for it."""
    lab("train", cars, "seed=1")
    lab("train", cars, "seed=2")
    report = next(Path("results/cars").glob("s2-*/report.json"))
    revise(report, schema_version=request.param)
    return report.parent, "cannot be read: report.json is of another version of nnrun"


@pytest.mark.parametrize(
    "words",
    [
        ["train", "cars.yaml", "seed=2"],
        ["predict", "RUN", "rows.csv"],
        ["compare", "RUN", "cars/s1"],
        ["verify", "RUN"],
        ["verify"],
        ["ls"],
        ["ls", "--top", "1"],
    ],
    ids=" ".join,
)
def test_commands_use_the_same_words(lab, run, words):
    """And none of them calls it damaged."""
    folder, said = run
    done = lab(*[str(folder) if word == "RUN" else word for word in words])
    shown = " ".join(f"{done.out} {done.err}".split())
    assert (True, False) == (said in shown, "damaged" in shown)


def test_it_is_no_disagreement(lab, run):
    """`verify` cannot verify it, which is another exit code than for other numbers."""
    folder, said = run
    done = lab("verify", str(folder))
    label = f"cars/{folder.name}"
    trains = f"nnrun train {folder}/config.yaml --force --results results trains it again"
    assert (1, f"error: {label}: it {said}; {trains}\n") == (done.code, done.err)


def test_it_can_be_listed_alone(lab, run):
    """By its status, which `show` and the report have, too."""
    folder, said = run
    found = lab.json("ls", "--where", "status=unreadable")
    assert [folder.name] == [one["run_id"] for one in found]
    shown = lab("show", str(folder)).out
    assert f"cars  {folder.name}  unreadable" == shown.splitlines()[0]
    lab("report")
    page = Path("report.html").read_text()
    assert (True, True) == ('class="status unreadable"' in page, f"{folder.name} {said}" in page)


# A completed run with warnings is never shown as one without.

BLIND = """\
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 1.0e-9, iterations: 3, engine: numpy}
sweep: {seeds: 2}
"""
FINE = BLIND.replace("1.0e-9, iterations: 3", "0.1, epochs: 20, batch_size: 8").replace(
    "{name: iris}", "{name: iris, features: standard}"
)


@pytest.fixture
def runs(lab):
    """Two runs of no use, and two that are fine."""
    sweep = "sweep blind.yaml fine.yaml -j 1 -q"
    lab.begin({"blind.yaml": BLIND, "fine.yaml": FINE}, sweep)
    return lab.json("ls")


def test_lists_count_warnings(lab, runs):
    """In words, as data, and to choose by."""
    by_name = {name: [r for r in runs if r["name"] == name] for name in ("blind", "fine")}
    assert all(run["warnings"] > 0 for run in by_name["blind"])
    assert [0, 0] == [run["warnings"] for run in by_name["fine"]]
    listed = lab("ls", "blind", "--wide").out
    assert f"completed, {by_name['blind'][0]['warnings']} warning" in listed
    assert "warning" not in lab("ls", "fine").out
    chosen = lab.json("ls", "--where", "warnings=0")
    assert {"fine"} == {run["name"] for run in chosen}
    header, *rows = lab("ls", "--csv").out.splitlines()
    column = header.split(",").index("warnings")
    assert {str(run["warnings"]) for run in runs} == {row.split(",")[column] for row in rows}


def test_reports_count_warnings(lab, runs):
    """In the heading of a run, in report.md, and in amber on the page and its boards."""
    (run, *_) = [run for run in runs if run["name"] == "blind"]
    words = f"completed, {run['warnings']} warning"
    assert words in lab("show", f"blind/{run['run_id']}").out.splitlines()[0]
    report = Path("results", "blind", run["run_id"], "report.md").read_text()
    assert f"**{words}" in report
    lab.ok("report")
    page = Path("report.html").read_text()
    assert '<span class="status warned">2 completed with warnings</span>' in page
    assert f'<span class="status warned">{words}' in page
    assert ">2, 2 with warnings<" in page


def test_amber_stands_for_green(lab, runs):
    """On a terminal with colours."""
    shown = lab("ls", FORCE_COLOR="1", COLUMNS="100").out
    green, yellow = "\x1b[32mcompleted", "\x1b[33mcompleted"
    assert [2, 2] == [shown.count(green), shown.count(yellow)]
