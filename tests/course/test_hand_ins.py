"""`nnrun grade`: the hand-ins of a class."""

from __future__ import annotations

import csv
import os
import signal
import tempfile
from pathlib import Path

import pytest

from nnrun.cli.init import write_lesson
from nnrun.course import hand_ins, variants
from nnrun.course.files import exercise_file
from tests.lab import invoke, refused, write

START = exercise_file(1).read_text(encoding="utf-8")
RIGHT = START.replace("features: none", "features: standard")
GRADIENT = (
    "a = 1 + np.abs(self.x)\n"
    "        self.g.grad[...] = (dy * self.x / a).sum(axis=0)\n"
    "        return dy * self.g.value / a**2"
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder, with one for temporary files beside it."""
    for name in ("work", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "work"


def grades(*words: str, code: int = 0) -> list[dict]:
    done = invoke("grade", "class", "-j", "1", "--json", *words)
    assert code == done.code, done.said
    return done.json


def test_files_and_folders_are_hand_ins():
    """A student is the name of a file or of a folder; a lesson is in a name, or the option."""
    write("class/ada-exercise-1.yaml", RIGHT)
    write("class/bob/exercise-1.yaml", START)
    write("class/bob/lesson-1.yaml", START)
    write("class/.hidden", "")
    right, start = grades()
    criteria = [
        {"name": "task", "met": True, "points": 0},
        {"name": "stable", "met": True, "points": 1},
        {"name": "least squares", "met": True, "points": 1},
    ]
    assert ("ada-exercise-1", 1, 2, "") == tuple(
        right[key] for key in ("student", "lesson", "points", "error")
    )
    assert criteria == right["criteria"]
    assert ("bob", 1, 0) == (start["student"], start["lesson"], start["points"])
    assert [True, False, False] == [each["met"] for each in start["criteria"]]
    write("other/cleo/mine.yaml", RIGHT)
    done = invoke("grade", "other", "--lesson", "1", "--json")
    assert [("cleo", 2)] == [(each["student"], each["points"]) for each in done.json]


def test_a_file_may_be_named_for_any_student():
    """Also as no run may be named."""
    write("class/Zoë O'Hara (7).yaml", RIGHT)
    (row,) = grades("--lesson", "1")
    assert ("Zoë O'Hara (7)", 2, "") == (row["student"], row["points"], row["error"])


def test_the_file_has_a_row_for_each_and_a_column_for_each_criterion():
    """Criteria of other lessons are empty, and no cell is a formula."""
    write("class/=ada-exercise-1.yaml", RIGHT)
    write("class/bob-exercise-3.yaml", exercise_file(3).read_text(encoding="utf-8"))
    write("class/notes.txt", "")
    done = invoke("grade", "class", "-o", "class/grades.csv", "-q")
    assert (0, "", "") == done
    with open("class/grades.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    names = ["task", "stable", "least squares", "not linear", "small", "accurate"]
    assert ["student", "lesson", "points", *names, "error", "same_as", "for"] == header
    assert [
        ["'=ada-exercise-1", "1", "2", "1", "1", "1", "", "", "", "", "", ""],
        ["bob-exercise-3", "3", "0", "1", "", "", "0", "0", "0", "", "", ""],
        ["notes", "", "0", *[""] * 6,
         "notes.txt says no lesson; give --lesson, or name it as in exercise-1.yaml", "", ""],
    ] == rows  # fmt: skip
    assert 0 == invoke("grade", "class", "-o", "class/grades.csv").code
    again = Path("class/grades.csv").read_text(encoding="utf-8").splitlines()
    assert 1 + len(rows) == len(again)


DAMAGED = {
    "bytes": (b"\xff\xfe\x00", "is not UTF-8"),
    "empty": (b"", "the file is empty"),
    "key": (START.replace("epochs", "epoch").encode(), "training"),
    "large": (b"#" * (1 << 20) + b"\n#", "larger than 1 MiB"),
    "list": (b"- 1", "a config is a mapping of keys to values"),
}


def test_damaged_hand_ins_are_rows():
    """With an error in one line that names no folder, and no points; others are graded."""
    write("class/right-exercise-1.yaml", RIGHT)
    for name, (content, _) in DAMAGED.items():
        write(f"class/{name}-exercise-1.yaml", content)
    os.mkfifo("class/fifo-exercise-1.yaml")
    Path("class/link-exercise-1.yaml").symlink_to("right-exercise-1.yaml")
    Path("class/nobody").mkdir()
    rows = {row["student"].removesuffix("-exercise-1"): row for row in grades()}
    assert ("", 2) == (rows["right"]["error"], rows.pop("right")["points"])
    said = {name: says for name, (_, says) in DAMAGED.items()}
    said |= {"fifo": "FIFO", "link": "is a link", "nobody": "there is no exercise-N.yaml"}
    assert {*said} == {*rows}
    for name, row in rows.items():
        assert said[name] in row["error"]
        assert "\n" not in row["error"]
        assert os.sep + "class" not in row["error"]
        assert (0, []) == (row["points"], row["criteria"])


def test_nothing_to_grade_is_an_error():
    """Exit code 1 with a row for each where all have errors; 2 without any hand-in."""
    write("class/ada.yaml", RIGHT)
    (row,) = grades(code=1)
    assert row["error"].startswith("ada.yaml says no lesson")
    Path("nobody").mkdir()
    assert "there is no hand-in" in refused("grade", "nobody")
    assert "there is no such folder" in refused("grade", "nowhere")


def test_equal_hand_ins_name_each_other():
    """Comments and blanks make no difference, and lessons do."""
    write("class/ada-exercise-1.yaml", RIGHT)
    write("class/bob-exercise-1.yaml", "# mine\n" + RIGHT.replace(": ", ":  "))
    write("class/cleo-exercise-1.yaml", START)
    write("class/dan-exercise-3.yaml", RIGHT)
    assert [["bob-exercise-1"], ["ada-exercise-1"], [], []] == [row["same_as"] for row in grades()]


def test_the_variant_of_another_student_is_noticed():
    """By the name in the first line, and by the numbers below another name."""
    ada = variants.start_text(3, "Ada L.").replace("[8, 2]", "[5, 2]")
    write("class/ada-exercise-3.yaml", ada)
    write("class/bob-exercise-3.yaml", ada.replace("[5, 2]", "[6, 2]"))
    write("class/cleo-exercise-3.yaml", ada.replace("Ada", "Cleo").replace("[5, 2]", "[4, 2]"))
    write("class/dan-exercise-3.yaml", variants.start_text(3, "Dan"))
    first, bob, cleo, dan = grades()
    assert ["Ada L.", "Ada L.", "Cleo L.", "Dan"] == [r["for"] for r in (first, bob, cleo, dan)]
    assert ["bob-exercise-3"] == first["same_as"]
    assert ["ada-exercise-3"] == bob["same_as"]
    assert (["ada-exercise-3", "bob-exercise-3"], 0) == (cleo["same_as"], cleo["points"])
    assert [] == dan["same_as"]


def test_an_exam_has_no_hints():
    """Neither in tables nor in data; what was found is said."""
    write("class/ada-exercise-1.yaml", START)
    assert "Bring all features to one scale" in invoke("grade", "class", COLUMNS="90").out
    shown = invoke("grade", "class", "--exam", COLUMNS="90").out
    assert "ada-exercise-1" in shown
    assert "Bring all features to one scale" not in shown
    (row,) = grades("--exam")
    assert [{"name", "says"}] * 2 == [{*each} for each in row["missing"]]


def test_a_training_that_takes_long_is_an_error():
    """It is estimated and not made, and what else is met earns nothing."""
    start = exercise_file(3).read_text(encoding="utf-8")
    write(
        "class/ada-exercise-3.yaml",
        start.replace("[8, 2]", "[5000, 5000, 2]").replace("linear, ", "relu, relu, "),
    )
    (row,) = grades(code=1)
    assert row["error"].endswith(" s, and at most 2 s are graded")
    assert (0, []) == (row["points"], row["criteria"])


def test_configs_run_no_code_and_read_no_other_file(here):
    """A data file and a plugin that they name are not looked at."""
    mark = here / "mark"
    plugin = write("evil.py", f"open({str(mark)!r}, 'w')")
    os.mkfifo("rows.csv")
    named = RIGHT.replace("name: autompg", f"path: {here / 'rows.csv'}, columns: {{target: y}}")
    write("class/ada-exercise-1.yaml", named)
    write("class/bob-exercise-1.yaml", f"{RIGHT}plugins: [{here / plugin}]\n")
    write("class/cleo-exercise-1.py", f"open({str(mark)!r}, 'w')")
    first, second, third = grades("--lesson", "1")
    assert 0 == first["points"] == second["points"] == third["points"]
    assert "plugins" in second["error"]
    assert third["error"] == "cleo-exercise-1.py: a file like exercise-1.yaml is asked for"
    assert not mark.exists()


_MARKS = "import builtins\nassert not hasattr(builtins, 'left')\nbuiltins.left = 1"


def test_layers_are_graded_apart(here, monkeypatch):
    """Each in a process of its own, in the temporary folder, and what it prints is not shown."""
    monkeypatch.chdir(here.parent / "temporary")
    write_lesson(11)
    text = Path("mylayer.py").read_text(encoding="utf-8")
    for path in Path().iterdir():
        path.unlink()
    monkeypatch.chdir(here)
    right = text.replace("raise NotImplementedError", GRADIENT)
    write("class/a/mylayer.py", f"print('a word')\nopen('left', 'w').close()\n{_MARKS}\n" + right)
    write("class/b/mylayer.py", f"{_MARKS}\n{text}")
    write("class/c/mylayer.py", text.replace("raise NotImplementedError", "return 0 * dy"))
    identity = right.replace("return self.g.value * x / (1 + np.abs(x))", "return x")
    write("class/d/mylayer.py", identity.replace("return dy * self.g.value / a**2", "return dy"))
    write("class/e/mylayer.py", "import os\nos._exit(0)\n")
    done = invoke("grade", "class", "--json", "-q", "-j", "1")
    assert (0, "") == (done.code, done.err)
    rows = done.json
    assert [2, 0, 0, 0, 0] == [row["points"] for row in rows]
    error = "the process that graded it ended before it was done"
    assert ["", "", "", "", error] == [row["error"] for row in rows]
    assert {"name": "formula", "met": False, "points": 0} == rows[3]["criteria"][0]
    assert ["class"] == os.listdir()
    assert [] == os.listdir(tempfile.gettempdir())


def test_a_hand_in_that_does_not_end_is_an_error():
    """After the seconds that each may take."""
    write("class/a/mylayer.py", "while True:\n    pass\n")
    (row,) = grades("--seconds", "1", code=1)
    assert "grading it takes more than 1 s" == row["error"]
    assert [] == os.listdir(tempfile.gettempdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_processes(monkeypatch, number):
    """While they grade; no file is left, and no folder."""
    write("class/ada-exercise-1.yaml", RIGHT)
    started, give = [], hand_ins._Graders._give

    def interrupted(graders, grader, *task):
        give(graders, grader, *task)
        started.append(grader.process)
        signal.raise_signal(number)

    monkeypatch.setattr(hand_ins._Graders, "_give", interrupted)
    done = invoke("grade", "class", "-o", "grades.csv")
    assert 128 + number == done.code
    assert [True] == [process.poll() is not None for process in started]
    assert ["class"] == os.listdir()
    assert [] == os.listdir(tempfile.gettempdir())
