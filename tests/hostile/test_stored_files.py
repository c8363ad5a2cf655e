"""Stored files of searches, sweeps and the index, damaged."""

from __future__ import annotations

import html
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nnrun.reports.html.overview import find_runs
from nnrun.runs.catalog import index
from nnrun.runs.catalog.index import FILE, RunIndex, look
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.storage.sealed import read_sealed
from nnrun.sweeps.planning.variants import Datasets
from nnrun.ui.watcher import draw
from tests.forging import reseal
from tests.hostile.test_fuzz import ODD, SMALL, fuzz, mutated, one_of, sampled
from tests.lab import Answer, invoke
from tests.search.helpers import IRIS, config
from tests.sweeps.helpers import make_store

# Files beside runs: where they are damaged, changed or gone, no answer changes in silence.

SEARCH = "iris/search.json"
NETWORK = {**IRIS, "training": {**IRIS["training"], "iterations": 8}}


class Folder:
    """A results folder with a search, and with a sweep of two experiments."""

    def __init__(self, root: Path) -> None:
        searched = config(trials=5, sampler="random", pruning="none")
        Path("iris.yaml").write_text(yaml.safe_dump(searched))
        Path("two").mkdir()
        for name in ("first", "second"):
            Path(f"two/{name}.yaml").write_text(yaml.safe_dump({**NETWORK, "name": name}))
        np.savez("new.npz", x=np.arange(12.0).reshape(3, 4))
        assert 0 == self.run("search iris.yaml -j 1").code
        assert 0 == self.run("sweep two --beside linear --seeds 2 -j 1").code
        content = read_sealed(Path("results", SEARCH))
        self.trial, *_ = content["trials"][0]["run_ids"]
        self.tested, *_ = content["test"]["run_ids"]
        (self.both,) = (file.name for file in root.glob("results/leaderboard-2-exp*.json"))
        self.commands = [
            *("ls", "ls iris --csv", "best iris", "best iris --json", "best iris --by validation"),
            *(f"show iris/{self.trial} --json", "show iris/best", "show iris"),
            *("report -o r.html", "report iris -o r.html", f"compare iris/{self.trial} iris/best"),
            *(f"compare iris/{self.trial} iris/{self.tested}", "predict iris/best new.npz"),
            *("search iris --export study.db", "best first", "compare first second"),
            *("ls --leaderboard", "ls --leaderboard second", "ls --leaderboard iris"),
            *("watch --once", "verify iris/best", "live page"),
        ]
        shutil.copytree("results", "kept")
        self.answers = {words: self.answer(words) for words in self.commands}
        assert {0} == {code for code, _, _ in self.answers.values()}

    @staticmethod
    def run(words: str) -> Answer:
        return invoke(*words.split(), COLUMNS="200")

    def answer(self, words: str) -> tuple[int, str, str]:
        """The exit code, what is answered, and what is said besides."""
        Path("study.db").unlink(missing_ok=True)
        if words == "live page":
            parts = draw(find_runs((), Path("results")), (), Datasets().load)
            page = html.unescape("".join(part.html for part in parts))
            return 0, page, page
        result = self.run(words)
        assert "internal error" not in result.said, (words, result.said)
        answer, besides = result.out, result.err
        if words.startswith("report") and not result.code:
            answer = Path("r.html").read_text(encoding="utf-8")
            besides += html.unescape(answer)
        return result.code, answer, besides

    def restore(self) -> None:
        """As it was."""
        shutil.rmtree("results")
        shutil.copytree("kept", "results")

    def silent(self, file: Path, commands: list[str]) -> Iterator[str]:
        """The commands that answer otherwise than before, and do not say what is wrong."""
        for words in commands:
            code, answer, besides = self.answer(words)
            said = f"{file} is damaged" in besides or f"{file} is missing" in besides
            if (code, answer) != self.answers[words][:2] and not (said and code in (0, 2)):
                yield f"{words}: {code} {besides[-300:]}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    root = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield Folder(root)


@pytest.fixture
def folder(built: Folder) -> Iterator[Folder]:
    yield built
    built.restore()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-50])


def another_value(file: Path) -> None:
    text = file.read_bytes()
    at = text.index(b'"mean": 0.') + len(b'"mean": 0.')
    file.write_bytes(text[:at] + bytes([48 + (text[at] - 47) % 10]) + text[at + 1 :])


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def a_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": cut,
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(bytes(range(256)) * 9),
    "other JSON": lambda file: file.write_text("[]"),
    "another value": another_value,
    "a folder": a_folder,
    "a loop": a_loop,
    "a link": a_link,
}


@pytest.mark.parametrize("damage", [*DAMAGES, "gone"])
def test_a_damaged_search_changes_no_answer_in_silence(folder: Folder, damage: str) -> None:
    """Each command answers as before or says which file is damaged; `best` answers nothing else."""
    file = Path("results", SEARCH)
    DAMAGES.get(damage, os.unlink)(file)
    assert [] == [*folder.silent(file, folder.commands)]
    for words in ("best iris", "show iris/best", "predict iris/best new.npz"):
        assert 2 == folder.answer(words)[0]
    for words in ("ls", "report -o r.html", f"show iris/{folder.trial}", "live page"):
        assert str(file) in folder.answer(words)[2], words


@pytest.mark.parametrize("damage", [*DAMAGES, "gone"])
def test_the_same_search_makes_it_again(folder: Folder, damage: str) -> None:
    """It says so, trains no run, and comes to the same winner."""
    file, expected = Path("results", SEARCH), read_sealed(Path("results", SEARCH))
    runs = sorted(Path("results/iris").glob("s*/*"))
    times = [run.stat().st_mtime_ns for run in runs]
    DAMAGES.get(damage, os.unlink)(file)
    if damage == "a folder":
        file.rmdir()
    result = folder.run("search iris.yaml -j 1")
    assert 0 == result.code, result.said
    assert f"{file} is " in result.err
    assert expected["winner"] == read_sealed(file)["winner"]
    assert times == [run.stat().st_mtime_ns for run in sorted(Path("results/iris").glob("s*/*"))]


def other_runs(content: dict[str, Any]) -> dict[str, Any]:
    """A setting of the final comparison that is not the winner."""
    winner = content["winner"]["run_ids"]
    return next(one for one in content["finalists"] if one["run_ids"] != winner)


def change(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    """A change of what stands at a place to a value, or to what a function makes of it."""

    def changed(content: dict[str, Any]) -> None:
        *outer, last = path
        place: Any = content
        for key in outer:
            place = place[key]
        place[last] = to(content, place[last]) if callable(to) else to

    return changed


LIES = {
    "value of a trial": change("trials", 0, "value", to=0.987),
    "a trial without a value": change("trials", 0, "value", to=None),
    "runs of a trial": change(
        "trials", 0, "run_ids", to=lambda content, _: content["trials"][1]["run_ids"]
    ),
    "rate of a trial": change("trials", 0, "choice", "training.learning_rate", to=0.5),
    "parameter of a trial": change("trials", 0, "params", "training.learning_rate", to=0.5),
    "metric": change("metric", to="loss"),
    "split": change("judged_by", to="train"),
    "direction": change("larger_is_better", to=False),
    "no winner": change("winner", to=None),
    "another winner": change("winner", "run_ids", to=lambda c, _: other_runs(c)["run_ids"]),
    "mean of the winner": change("winner", "mean", to=0.99),
    "mean of a row": change("board", "rows", 0, "mean", to=0.99),
    "order of rows": change("board", "rows", to=lambda _, rows: rows[::-1]),
    "counted runs": change("board", "rows", 0, "completed", to=1),
    "test": change("test", "mean", to=0.99),
    "no test": change("test", to=None),
    "runs of the test": change("test", "run_ids", to=lambda c, _: other_runs(c)["run_ids"]),
    "no end": change("ended", to=None),
    "no trials": change("trials", to=None),
    "version": change("schema_version", to=9),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_search_is_held_against_its_runs(folder: Folder, lie: str) -> None:
    """Whoever changes what runs say, and the digest with it, is noticed by every command."""
    file = Path("results", SEARCH)
    reseal(file, LIES[lie])
    for words, code in (("best iris", 2), ("ls", 0), ("report iris -o r.html", 0)):
        found, _, besides = folder.answer(words)
        assert (code, True) == (found, f"{file} is damaged" in besides), (words, besides[-500:])


def test_runs_that_were_deleted_say_nothing(folder: Folder) -> None:
    """Without the run of a trial all is as before; without one of the winner there is no best."""
    file = Path("results", SEARCH)
    shutil.rmtree(f"results/iris/{folder.trial}")
    assert folder.answers["best iris"][:2] == folder.answer("best iris")[:2]
    assert "damaged" not in folder.answer("ls")[2]
    shutil.rmtree(f"results/iris/{folder.tested}")
    code, _, said = folder.answer("best iris")
    assert (2, True) == (code, f"{folder.tested}, a run of the winner" in said)
    assert file.exists()


def test_a_run_that_was_changed_is_no_run_of_a_trial(folder: Folder) -> None:
    """Where the report of a trial's run is damaged, so is the search that was chosen by it."""
    cut(Path(f"results/iris/{folder.trial}/report.json"))
    code, _, said = folder.answer("best iris")
    assert (2, True) == (code, f"is by {folder.trial}, which is damaged" in said)


@pytest.mark.parametrize("which", ["leaderboard.json", "both"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_leaderboard_changes_no_answer_in_silence(
    folder: Folder, which: str, damage: str
) -> None:
    """Each command answers as before or says which file is damaged, whichever sweep it is of."""
    file = Path("results", folder.both if which == "both" else which)
    DAMAGES[damage](file)
    boards = [words for words in folder.commands if "leaderboard" in words]
    assert [] == [*folder.silent(file, ["ls", "best first", "best iris", *boards])]
    refusing = "ls --leaderboard second" if which == "both" else "ls --leaderboard"
    assert 2 == folder.answer(refusing)[0]


# The index of runs, whatever stands in its place: nothing outside of the results is touched.


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
