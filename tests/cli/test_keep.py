"""Notes and tags on runs, their commits, and runs that are renamed or removed."""

from __future__ import annotations

import csv
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

import nnrun
from nnrun.runs.storage.durable import locked
from nnrun.runs.storage.sweep_progress import SweepCounts
from nnrun.systems import system
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


def test_tags_are_words_of_a_note(cars):
    """Several runs have a tag, and a run several tags; a new text has those that it names."""
    first, second, _ = cars
    invoke_well("note", first, "for the slides", "--tag", "slides", "--tag", "baseline")
    invoke_well("note", second, "--tag", "baseline")
    invoke_well("note", second, "--tag", "baseline")
    assert {first: "for the slides #slides #baseline", second: "#baseline"} == listed(
        "--where", "tag=baseline"
    )
    assert [first] == [*listed("--where", "tag=slides")]
    assert cars[2:] == [*listed("--where", "tag!=baseline")]
    assert [first] == [*listed("--where", "tag~SLIDE")]
    assert "did you mean 'slides'?" in invoke_well("ls", "--where", "tag=slide").err
    assert ["slides", "baseline"] == invoke_well("ls", "--json").json[0]["tags"]
    invoke_well("note", first, "a new text")
    assert [second] == [*listed("--where", "tag=baseline")]
    assert "a tag is a word" in refused("note", first, "--tag", "a b")


def test_csv_has_a_column_for_what_differs_between_experiments(cars):
    """Notes too; each cell is the setting of its run."""
    write("other.yaml", CARS.replace("name: cars", "name: other"))
    invoke_well("train", "other.yaml", "training.iterations=30", "training.batch_size=7")
    invoke_well("note", cars[0], "good, it seems")
    rows = [*csv.DictReader(invoke_well("ls", "--csv").out.splitlines())]
    assert ["20", "20", "20", "30"] == [row["training.iterations"] for row in rows]
    assert "7" == rows[3]["training.batch_size"] != rows[0]["training.batch_size"]
    assert "good, it seems" == rows[0]["note"]
    assert "optimizer.type" not in rows[0]


def git(*words: str) -> str:
    author = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    return subprocess.check_output(["git", *author, *words], text=True).strip()


@pytest.mark.parametrize("form", ["branch", "packed", "detached", "worktree"])
def test_a_run_names_the_commit_of_its_config(tmp_path, monkeypatch, form):
    """However the repository keeps it; in lists, `show` and reports, and the run verifies."""
    monkeypatch.chdir(tmp_path)
    write("repository/configs/cars.yaml", CARS)
    git("init", "-q", "repository")
    monkeypatch.chdir("repository")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD")
    if form == "packed":
        git("pack-refs", "--all")
    if form == "detached":
        git("checkout", "-q", commit)
    if form == "worktree":
        git("worktree", "add", "-q", "../other")
        monkeypatch.chdir("../other")
    invoke_well("train", "configs/cars.yaml", "training.iterations=20")
    invoke_well("sweep", "configs/cars.yaml", "seed=1", "training.iterations=20")
    assert [commit, commit] == [row["commit"] for row in invoke_well("ls", "--json").json]
    assert f"commit     {commit}" in invoke_well("show", "cars").out
    assert commit in next(Path("results").glob("*/*/report.md")).read_text()
    invoke_well("verify", "cars")


def test_a_run_names_no_commit_that_is_not_known_or_not_wanted(tmp_path, monkeypatch):
    """Nothing that a repository has configured is executed, and a damaged one is no error."""
    monkeypatch.chdir(tmp_path)
    write("cars.yaml", CARS)
    folder = "configs/.git"
    wrong = [
        {},
        {".git/HEAD": "ref: refs/heads/main\n"},  # without a commit yet
        {".git/HEAD": "ref: refs/../../secret\n", "secret": "0" * 40},
        {".git/HEAD": b"\xff" * 40},
        {".git/HEAD": "0" * 40, folder: "gitdir: nowhere"},
    ]
    for number, files in enumerate(wrong):
        for name, content in files.items():
            write(name, content)
        place = "configs/cars.yaml" if folder in files else "cars.yaml"
        write(place, CARS)
        invoke_well("train", place, f"seed={number}", "training.iterations=2")
    invoke_well("train", "cars.yaml", "seed=8", "training.iterations=2")
    invoke_well("train", "cars.yaml", "seed=9", "training.iterations=2", NNRUN_COMMIT="0")
    commits = {row["seed"]: row["commit"] for row in invoke_well("ls", "--json").json}
    assert dict.fromkeys([*range(len(wrong)), 9]) | {8: "0" * 40} == commits
    reports = [path.read_text() for path in Path("results").glob("*/s9-*/report.json")]
    assert ["commit" in text for text in reports] == [False]


def test_an_experiment_gets_another_name(cars):
    """With its notes and leaderboards; its runs have the same files, and verify."""
    invoke_well("note", cars[1], "kept")
    before = {path.name: path.read_bytes() for path in Path("results", cars[1]).iterdir()}
    moved = [label.replace("cars/", "autos/") for label in cars]
    assert moved == sorted(invoke_well("mv", "cars", "autos", "--json").json["runs"])
    assert ["", "kept", ""] == [listed()[label] for label in moved]
    assert before == {path.name: path.read_bytes() for path in Path("results", moved[1]).iterdir()}
    assert {"autos"} == {row["name"] for row in board_rows("autos")} | {
        row["best_run"].split("/")[0] for row in board_rows()
    }
    assert "no leaderboard in results has 'cars'" in refused("ls", "--leaderboard", "cars")
    assert "name: autos" in invoke_well("best", "autos").out
    assert "no run in results is called 'cars'" in refused("show", "cars")
    invoke_well("verify", "autos")
    invoke_well("mv", "autos", "cars")
    assert sorted(cars) == sorted(listed())


def board_rows(*name: str) -> list[dict[str, object]]:
    content = invoke_well("ls", "--leaderboard", *name, "--json").json
    return [row for group in content["groups"] for row in group["rows"]]


def test_a_run_gets_another_name(cars):
    """Its note goes with it, also to an experiment that there is; its siblings stay."""
    first, second, third = cars
    invoke_well("note", first, "kept")
    for label in (first, second):
        invoke_well("mv", label, "other")
    run_ids = [label.split("/")[1] for label in cars]
    expected = {f"other/{run_ids[0]}": "kept", f"other/{run_ids[1]}": "", third: ""}
    assert expected == listed()
    invoke_well("mv", third, "other")
    assert not Path("results/cars").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cars", "cars"], "results/cars exists already"),
        (["cars", "file"], "results/file exists already"),
        (["cars", "../cars"], "'../cars' is no name of an experiment"),
        (["cars", "notes.json"], "'notes.json' is no name of an experiment"),
        (["cats", "dogs"], "no run in results is called 'cats'"),
        (["link", "dogs"], "results/link leads out of the results folder"),
    ],
)
def test_names_that_are_refused(cars, words, said):
    """One that is taken, unsafe, unknown, or that leads elsewhere; nothing changes."""
    invoke_well("note", cars[0], "kept")
    write("results/file", "x")
    Path("elsewhere").mkdir()
    Path("results", cars[2]).rename(Path("elsewhere", Path(cars[2]).name))
    Path("results/link").symlink_to(Path("elsewhere").absolute())
    before = {path: path.stat().st_mtime_ns for path in Path("results").rglob("*")}
    assert said in refused("mv", *words)
    assert before == {path: path.stat().st_mtime_ns for path in Path("results").rglob("*")}


def test_what_is_in_use_is_not_renamed(cars, monkeypatch):
    """A run that a process holds, and what a sweep in progress will train."""
    with locked(Path("results", cars[1])):
        assert "is being trained" in refused("mv", "cars", "autos")
        assert "is being trained" in refused("mv", cars[1], "autos")
    for names in (["cars"], ["autos"]):
        sweep = SweepCounts(names, 9, 1, 0, 0)
        monkeypatch.setattr("nnrun.cli.mv.sweeps_in", lambda _, sweep=sweep: [sweep])
        assert f"a sweep of {names[0]} is in progress" in refused("mv", "cars", "autos")
    assert cars == [*listed()]


class Killed(BaseException):
    """Ends a command where it is, as SIGKILL would."""


@pytest.mark.parametrize("step", range(9))
def test_a_killed_command_leaves_one_name_or_the_other(cars, monkeypatch, step):
    """All runs are under one of them, each with its note."""
    for label in cars:
        invoke_well("note", label, label.split("/")[1])
    calls = []

    def counted(original):
        def called(*arguments, **options):
            calls.append(original)
            if len(calls) == step + 1:
                raise Killed
            return original(*arguments, **options)

        return called

    with monkeypatch.context() as patch:
        for name in ("replace", "sync"):
            patch.setattr(system.Folder, name, counted(getattr(system.Folder, name)))
        patch.setattr(Path, "rename", counted(Path.rename))
        with suppress(Killed):
            invoke("mv", "cars", "autos")
    found = listed()
    assert len({label.split("/")[0] for label in found}) == 1
    assert [label.split("/")[1] for label in found] == [*found.values()]
    invoke_well("best", next(iter(found)).split("/")[0])
    assert step < len(calls)


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


def test_a_run_of_a_search_goes_with_all_of_it(tmp_path, monkeypatch):
    """Alone it would damage the search, which is sound under another name."""
    monkeypatch.chdir(tmp_path)
    write("cars.yaml", CARS)
    space = "search.training.learning_rate={log_uniform: [0.001, 0.1]}"
    invoke_well("search", "cars.yaml", space, "--trials", 2, "dataset.validation_size=0.2")
    run = nnrun.load("cars")
    for command in ("rm", "mv"):
        words = [f"cars/{run.run_id}", *["autos"] * (command == "mv")]
        assert "belongs to a search" in refused(command, *words)
    best = invoke_well("best", "cars", "--json").json["run_id"]
    invoke_well("mv", "cars", "autos")
    assert best == invoke_well("best", "autos", "--json").json["run_id"]
    invoke_well("rm", "autos", "--all")
    assert not Path("results/autos").exists()
