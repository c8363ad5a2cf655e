"""Notes on runs, and runs that are removed."""

from __future__ import annotations

from pathlib import Path

import pytest

import nnrun
from nnrun.runs.storage.durable import locked
from tests.lab import CARS, invoke, invoke_well, refused, write


@pytest.fixture
def cars(lab):
    """Three runs in the current folder; returns their labels."""
    lab.begin({"cars.yaml": CARS}, "sweep cars.yaml seed=1,2,3 training.iterations=20")
    return [run["name"] + "/" + run["run_id"] for run in invoke_well("ls", "--json").json]


def listed(*words: object) -> dict[str, str]:
    rows = invoke_well("ls", "--json", *words).json
    return {f"{row['name']}/{row['run_id']}": row["note"] for row in rows}


def test_a_note_is_listed_shown_and_found(cars):
    """In lists, in `show`, and by `--where note~`; the newest takes the place of the older."""
    first, second, third = cars
    invoke_well("note", first, "an old text")
    invoke_well("note", first, "  the one\nin the slides ")
    invoke_well("note", third, "tag: baseline")
    noted = {first: "the one in the slides", second: "", third: "tag: baseline"}
    assert noted == listed()
    assert {third: "tag: baseline"} == listed("--where", "note~Baseline")
    assert "the one in the slides" in invoke_well("show", first).out
    assert "tag: baseline" == invoke_well("show", third, "--json").json["note"]
    assert "the one in the slides\n" == invoke_well("note", first).out
    assert "tag: baseline" in invoke_well("ls", COLUMNS="140").out


def test_an_empty_text_removes_a_note(cars):
    """Only that one, and a run without one says so."""
    for label in cars[:2]:
        invoke_well("note", label, "kept")
    invoke_well("note", cars[0], "")
    assert ["", "kept", ""] == [*listed().values()]
    assert f"there is no note on {cars[0]}" in invoke_well("note", cars[0]).err


def test_a_run_verifies_with_a_note(cars):
    """Files of the run do not change."""
    before = {path: path.read_bytes() for path in Path("results", cars[0]).iterdir()}
    invoke_well("note", cars[0], "checked")
    assert before == {path: path.read_bytes() for path in Path("results", cars[0]).iterdir()}
    invoke_well("verify", cars[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cars/s1", "x" * 1001], "at most 1,000 characters, and this has 1,001"),
        (["nothing", "text"], "no run in results is called 'nothing'"),
        ([], "RUN"),
    ],
)
def test_a_note_that_cannot_be_kept(cars, words, said):
    """Too long, or on a run that is not there."""
    assert said in refused("note", *words)
    assert not Path("results/notes.json").exists()


def test_a_damaged_file_of_notes_is_said(cars):
    """Its name, and what to do; nothing is overwritten."""
    write("results/notes.json", '{"notes": {}}')
    for words in (["ls"], ["note", cars[0], "text"]):
        answer = invoke(*words)
        assert answer.code == 2
        assert "results/notes.json is damaged" in answer.err
        assert "remove it" in answer.err
    assert '{"notes": {}}' == Path("results/notes.json").read_text()


def test_a_removed_run_is_gone_with_its_note(cars):
    """Its folder, its line in lists and its note; other runs stay."""
    first, second, third = cars
    invoke_well("note", first, "old")
    invoke_well("note", second, "new")
    assert [first] == invoke_well("rm", first, "--json").json
    assert {second: "new", third: ""} == listed()
    assert not Path("results", first).exists()
    assert "old" not in Path("results/notes.json").read_text()


def test_runs_are_removed_by_conditions(cars):
    """`--dry-run` shows them, and removes none."""
    words = ["rm", "cars", "--where", "seed>1"]
    assert f"{cars[1]}\n{cars[2]}\n" == invoke_well(*words, "--dry-run").out
    assert cars == [*listed()]
    invoke_well(*words)
    assert cars[:1] == [*listed()]


def test_an_experiment_is_removed_whole(cars):
    """With --all, also its folder; other experiments stay."""
    write("other.yaml", CARS.replace("name: cars", "name: other"))
    invoke_well("train", "other.yaml", "training.iterations=20")
    invoke_well("rm", "cars", "--all")
    assert ["other"] == [label.split("/")[0] for label in listed()]
    assert not Path("results/cars").exists()


def test_a_name_alone_means_no_run_of_several(cars):
    """It would be the newest one for other commands, and here it is refused."""
    assert "'cars' has 3 runs" in refused("rm", "cars")
    assert "no run in results is called 'cats'" in refused("rm", "cats", "--all")
    assert 3 == len(listed())


def test_runs_in_use_stay(cars):
    """A run that is held by a process, and one with files that are not of nnrun."""
    Path("results", cars[0], "mine.txt").write_text("x")
    answer = invoke_well("rm", cars[0])
    assert f"kept, since other files are in their folders: {cars[0]}" in answer.err
    with locked(Path("results", cars[1])):
        assert "is in use by another process" in refused("rm", cars[1])
    assert cars == [*listed()]


def test_a_run_of_a_search_is_removed_with_all_of_it(tmp_path, monkeypatch):
    """Alone it would damage the search."""
    monkeypatch.chdir(tmp_path)
    write("cars.yaml", CARS)
    space = "search.training.learning_rate={log_uniform: [0.001, 0.1]}"
    invoke_well("search", "cars.yaml", space, "--trials", 2, "dataset.validation_size=0.2")
    run = nnrun.load("cars")
    assert "belongs to a search" in refused("rm", f"cars/{run.run_id}")
    invoke_well("rm", "cars", "--all")
    assert not Path("results/cars").exists()
