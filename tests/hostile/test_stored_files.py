"""Files beside runs: where they are damaged, changed or gone, no answer changes in silence."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from nnrun.cli import cli
from nnrun.reports.html.overview import find_runs
from nnrun.runs.storage.sealed import read_sealed
from nnrun.sweeps.planning.variants import Datasets
from nnrun.ui.watcher import draw
from tests.forging import reseal
from tests.search.helpers import IRIS, config

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
        assert 0 == self.run("search iris.yaml -j 1").exit_code
        assert 0 == self.run("sweep two --beside linear --seeds 2 -j 1").exit_code
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
    def run(words: str) -> Result:
        return CliRunner().invoke(cli, words.split(), env={"COLUMNS": "200"})

    def answer(self, words: str) -> tuple[int, str, str]:
        """The exit code, what is answered, and what is said besides."""
        Path("study.db").unlink(missing_ok=True)
        if words == "live page":
            parts = draw(find_runs((), Path("results")), (), Datasets().load)
            page = html.unescape("".join(part.html for part in parts))
            return 0, page, page
        result = self.run(words)
        assert "internal error" not in result.output, (words, result.output)
        answer, besides = result.stdout, result.stderr
        if words.startswith("report") and not result.exit_code:
            answer = Path("r.html").read_text(encoding="utf-8")
            besides += html.unescape(answer)
        return result.exit_code, answer, besides

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
    assert 0 == result.exit_code, result.output
    assert f"{file} is " in result.stderr
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
