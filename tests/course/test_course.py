"""The course: its command and its exercises."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import nnrun
from nnrun.config.load import Experiment, load_config
from nnrun.config.yaml import parse, read_text
from nnrun.course import exercises as deep
from nnrun.course import variants
from nnrun.course.exercises import EXERCISES, grade_file
from nnrun.course.files import NUMBERS, OWN_GRADIENT, OWN_LAYER, exercise_file
from nnrun.course.grading import SEEDS, Attempt, Grade, changed, grade
from nnrun.plugins import unload
from tests.course.solutions import NORMALIZED, SOLUTIONS, WRONG, Edits
from tests.docs.examples import PLACES, blocks, read
from tests.lab import invoke, invoke_well, refused, write

# `nnrun check FILE --lesson N`: what it prints, and its exit codes.

SCALED = "dataset.features=standard"


@pytest.fixture(autouse=True)
def start(tmp_path, monkeypatch) -> Path:
    """The start of the first exercise, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(exercise_file(1), "mine.yaml")
    return Path("mine.yaml")


def check(*words: str):
    return invoke("check", *words, COLUMNS="80")


def test_what_is_missing_is_said_with_a_hint():
    """And the exit code is 1."""
    done = check("mine.yaml", "--lesson", "1")
    assert 1 == done.code
    assert "error: mine.yaml: not met yet: stable, least squares\n" == done.err
    assert done.out.splitlines() == [
        "mine.yaml  lesson 1",
        "",
        "met      task           only the allowed keys are changed",
        "not yet  stable         training diverges with 5 of 5 seeds",
        "                        The larger the features, the smaller the largest rate.",
        "not yet  least squares  training diverges with 5 of 5 seeds",
        "                        Bring all features to one scale, so that one rate suits",
        "                        every weight.",
        "",
        "1 of 3 criteria met, 0 of 2 points",
    ]


def test_a_hint_of_several_criteria_is_given_once():
    """After the last of them."""
    done = check(str(exercise_file(4)), "--lesson", "4")
    assert "error: " in done.err
    assert 3 == done.out.count("not yet")
    assert 1 == " ".join(done.out.split()).count("take weights of variance 2/n before relu")
    assert "is needed" not in done.out.partition("weights of variance")[2]


def test_a_solution_passes():
    """With exit code 0; settings after the file count, as for any config."""
    done = check("mine.yaml", "--lesson", "1", SCALED)
    assert (0, "") == (done.code, done.err)
    *_, met, tests = done.out.splitlines()
    assert "3 of 3 criteria met, 2 of 2 points" == met
    assert tests.startswith("on test rows, which are looked at once: mse 12.")
    assert ["mine.yaml"] == [path.name for path in Path().iterdir()]


@pytest.mark.parametrize("option", ["--points", "--json"])
def test_a_grader_reads_points(option):
    """In JSON, with a point for each criterion that the start does not meet."""
    done = check("mine.yaml", "--lesson", "1", SCALED, option)
    data = done.json
    assert [1, "mine.yaml", 2, 2] == [data[key] for key in ("lesson", "file", "points", "of")]
    assert [
        {"name": "task", "met": True, "points": 0},
        {"name": "stable", "met": True, "points": 1},
        {"name": "least squares", "met": True, "points": 1},
    ] == data["criteria"]
    assert ["check", "passed", "says", "detail", "reached"] == [*data["checks"][0]]
    assert ["mse"] == [*data["tests"]]
    assert {} == check("mine.yaml", "--lesson", "1", option).json["tests"]


def test_another_task_gets_no_points():
    """The rest is not checked, and nothing is trained: not what would take for ever."""
    done = check("mine.yaml", "--lesson", "1", SCALED, "training.epochs=1000000000", "--points")
    assert 1 == done.code
    data = done.json
    assert (0, 2) == (data["points"], data["of"])
    assert [True, False, False] == [each["reached"] for each in data["checks"]]
    says = "training.epochs is 1000000000, and 40 in the exercise"
    assert [says, "Change nothing but `dataset.features` or `training.learning_rate`."] == [
        data["checks"][0][key] for key in ("says", "detail")
    ]


def test_a_network_that_takes_long_is_not_trained(start):
    """Where the network may be changed, the time of a run is estimated before."""
    shutil.copy(exercise_file(3), start)
    done = check("mine.yaml", "--lesson", "3", "network.sizes=[5000, 5000, 2]",
                 "network.activations=[relu, relu, softmax]")  # fmt: skip
    assert 1 == done.code
    assert " s, and at most 2 s are graded" in " ".join(done.out.split())


def test_an_invalid_config_is_a_mistake(start):
    """With its place, and exit code 2; so is one that only the data show to be invalid."""
    start.write_text(start.read_text().replace("features: none", "features: nnoe"))
    done = check("mine.yaml", "--lesson", "1")
    assert 2 == done.code
    assert done.err.startswith("mine.yaml:3:36: dataset.features: 'nnoe' is not a feature step")
    shutil.copy(exercise_file(3), start)
    done = check("mine.yaml", "--lesson", "3", "network.sizes=[5, 3]")
    assert 2 == done.code
    assert "" == done.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("mine.yaml", "mine.yaml", "--lesson", "1"), "--lesson 1 grades one file, such as exerci"),
        (("mine.py", "--lesson", "1"), "--lesson 1 grades one file, such as exercise-1.yaml"),
        (("mine.yaml", "--lesson", "11"), "--lesson 11 grades one file, such as mylayer.py"),
        (("gone.yaml", "--lesson", "1"), "gone.yaml: "),
    ],
)
def test_mistakes(words, says):
    """Exit code 2, and what was meant."""
    done = check(*words)
    assert 2 == done.code
    assert says in done.err


def test_the_last_lesson_grades_a_layer():
    """With a point for each gradient; the one that the lesson asks for is right."""
    try:
        invoke("init", "--lesson", "11")
        layer = Path("mylayer.py")
        begun = check("mylayer.py", "--lesson", "11", "--json")
        assert (3, 0, 2) == (begun.code, begun.json["points"], begun.json["of"])
        early = invoke("train", "lesson-11.yaml", "--plugin", "mylayer.py")
        assert early.err.splitlines()[-1].endswith(": it is not written yet"), early.said
        solution = (
            "a = 1 + np.abs(self.x)\n"
            "        self.g.grad[...] = (dy * self.x / a).sum(axis=0)\n"
            "        return dy * self.g.value / a**2"
        )
        text = layer.read_text(encoding="utf-8")
        layer.write_text(text.replace("raise NotImplementedError", solution), encoding="utf-8")
        done = check("mylayer.py", "--lesson", "11")
        assert 0 == done.code, done.said
        assert "4 of 4 criteria met, 2 of 2 points" == done.out.splitlines()[-1]
        words = ["train", "lesson-11.yaml", "--plugin", "mylayer.py", "--iterations", "5"]
        invoke_well(*words)
    finally:
        unload()


# Variants by a student's name.

STUDENTS = 50 if "NNRUN_TEST_LARGE" in os.environ else 1


@pytest.mark.campaign
@pytest.mark.parametrize("student", range(STUDENTS))
@pytest.mark.parametrize("lesson", EXERCISES)
def test_a_variant_can_be_solved(lesson, student, tmp_path):
    """By the first solution of the exercise, with its numbers; its start earns nothing."""
    name = f"Student {student}"
    start, varied = variants.start(lesson, name), partial(variants.varied, lesson, name)
    begun = grade(lesson, EXERCISES[lesson], start, start)
    assert begun.kept == {each.check for each in begun.findings if each.passed}
    text = edited(variants.start_text(lesson, name), solution(lesson, start), varied)
    file = Path(write(str(tmp_path / exercise_file(lesson).name), text))
    found = grade(lesson, EXERCISES[lesson], load_config(file), start)
    assert [] == [(each.check, each.says) for each in found.wrong]


def solution(lesson: int, start: Experiment) -> Edits:
    """The first solution; where runs have to be asked, by the lowest of a curve, or by a board."""
    edits = SOLUTIONS[lesson][0]
    if lesson == 9:
        often = changed(start, {"training.evaluate_every": 20})
        runs = [each.history for each in Attempt(often, often).runs.results]
        losses = [[row["validation_loss"] for row in history] for history in runs]
        end = runs[0][int(np.mean(losses, axis=0).argmin())]["iteration"]
        return [("iterations: 2000", f"iterations: {end}"), ("every: 1000", "every: 20")]
    if lesson == 10:
        rates = [deep._rate(row) for row in deep._rows(Attempt(start, start)) if row.tied]
        return [*edits[:2], ("[0.001, 0.01, 0.15, 0.2]", str(rates))]
    return edits


def test_a_variant_is_for_one_student():
    """By the name in its first line, however it is typed; other numbers are another exercise."""
    invoke_well("init", "exercise-3.yaml", "--for", " Ada   L. ")
    file = Path("exercise-3.yaml")
    first, *_ = file.read_text(encoding="utf-8").splitlines()
    assert ("# For Ada L.", "") == (first, "")
    assert "met      task" in check(file.name, "--lesson", "3").out
    text = file.read_text(encoding="utf-8")
    assert text.replace("Ada", "ada") == variants.start_text(3, "ada L.")
    for other in (exercise_file(3).read_text(encoding="utf-8"), variants.start_text(3, "Bob")):
        file.write_text(f"# For Ada L.\n{other.removeprefix('# For Bob')}", encoding="utf-8")
        assert "not yet  task        dataset." in check(file.name, "--lesson", "3").out
    file.unlink()
    invoke_well("init", "--lesson", "3", "--for", "Ada L.")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [["mine.yaml"], [], ["--lesson", "3", "exercise-3.yaml"]])
def test_a_variant_is_of_an_exercise(words):
    """Its file or its lesson is named; the name of the student can stand in a line."""
    assert "--for takes --lesson N or a file like exercise-1.yaml" in refused(
        "init", *words, "--for", "A"
    )
    for name in ("", " ", "A\x07", "a" * 101):
        assert "--for: a name has 1 to 100 " in refused("init", "exercise-3.yaml", "--for", name)


# Exercises of one's own, and grades in Python.


@pytest.fixture
def own() -> str:
    """The exercise of the page for teachers, with its start."""
    (text,) = blocks(read(PLACES["teachers"]), "yml")
    (start,) = [t for t in blocks(read(PLACES["teachers"]), "yaml") if t.startswith("# spirals-")]
    write("class/spirals-start.yaml", start)
    write("class/spirals.yaml", text)
    return text


def test_an_exercise_of_ones_own_is_graded(own):
    """Points are for what its start does not meet; numbers of test rows are not said."""
    words = ["class/spirals-start.yaml", "--exercise", "class/spirals.yaml", "--json"]
    begun = check(*words).json
    met = {each["name"]: each["met"] for each in begun["criteria"]}
    assert {"task": True, "small": True, "hidden": False, "accurate": False} == met
    assert (0, 2) == (begun["points"], begun["of"])
    wide = ["network.sizes=[16, 2]", "network.activations=[tanh, softmax]"]
    data = check(*words, *wide).json
    assert 1 == data["points"]
    says = [each["says"] for each in data["checks"]][1:]
    assert ["parameters is 82; at most 200 is asked for", "dense is 2; at least 2 is asked for",
            "test accuracy does not meet it; at least 0.9 is asked for"] == says  # fmt: skip
    done = invoke("grade", "class", "--exercise", "class/spirals.yaml", "--json", "-j", "1")
    assert [0, 0] == [row["lesson"] for row in done.json]
    assert ["", 0] == [done.json[1]["error"], done.json[1]["points"]]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("of: dense", "of: dens", "6:24: criteria[1].of: 'dens' is none of these: parameters"),
        (", at_least: 0.9", "", "7:5: criteria[2]: a criterion needs 'at_least' or 'at_most'"),
        ("test acc", "test oc", "7:26: criteria[2].of: 'test ocuracy' is no metric of spirals-st"),
        ("[network,", "[networks,", "3:8: free[0]: 'networks' is no key of spirals-start.yaml"),
        ("free:", "fre:", "3:1: fre: 'fre' is not a key"),
    ],
)
def test_mistakes_in_an_exercise_have_places(own, old, new, says):
    """Line and column of its file, whoever hands in."""
    write("class/spirals.yaml", own.replace(old, new))
    message = refused("grade", "class", "--exercise", "class/spirals.yaml")
    assert f"class/spirals.yaml:{says}" in message


def test_python_grades_and_explains(start):
    """As the commands do; a notebook shows the same table, and the page with every number."""
    grade = nnrun.check(start, {"dataset.features": "standard"}, lesson=1)
    shown = check("mine.yaml", "--lesson", "1", SCALED).out
    assert shown.split() == repr(grade).split()
    assert nnrun.explain(start, rows=[5]).rows == [5]
    assert "<iframe" in nnrun.explain(start)._repr_html_()
    with pytest.raises(nnrun.errors.UsageError, match="lesson=40: a file is graded"):
        nnrun.check(start, lesson=40)


# The second lesson: the numbers of a gradient.

MISTAKES = [  # (array, what it is computed as, hint)
    ("dw1", "dw1 + 2e-6", "dw1 is xᵀ dz."),
    ("dw1", "x.T @ dh", "The slope of tanh is missing"),
    ("db1", "(dh * (1 - z**2)).sum(0)", "The slope of tanh is 1 - h²"),
    ("dw1", "x.T @ (dy * (1 - h**2))", "w2 is missing"),
    ("dw2", "3 * dw2", "It is that of a sum over rows"),
    ("db2", "dy.mean(0)", "dy is divided by the rows already"),
    ("db2", "db2 / 2", "A factor of 2 is missing"),
    ("dw2", "-dw2", "Its sign is turned"),
    ("dw1", "dw1.T", "It is transposed: dw1 is xᵀ dz."),
    ("dw2", "dw2.T", "It is transposed: dw2 is hᵀ dy."),
    ("db1", "[[1], [2, 3]]", "db1 is the sum of dz."),
    ("db1", "None", "db1 is the sum of dz."),
]


def numbers(student: str = "", /, **changed: str) -> Path:
    """The second exercise with its gradient, and some arrays by other formulas."""
    begin = write("start.yaml", variants.start_text(OWN_GRADIENT, student))
    content = parse(read_text(Path(begin))).data
    x, t, w1, b1, w2, b2 = (np.array(content[key]) for key in ("x", "t", "w1", "b1", "w2", "b2"))
    z, h = x @ w1 + b1, np.tanh(x @ w1 + b1)
    dy = 2 / 3 * (h @ w2 + b2 - t)
    dh, dz = dy @ w2.T, dy @ w2.T * (1 - h**2)
    right = {"dw2": h.T @ dy, "db2": dy.sum(0), "dw1": x.T @ dz, "db1": dz.sum(0)}
    names = {"x": x, "z": z, "h": h, "dy": dy, "dh": dh, **right}
    others = {key: eval(formula, {}, names) for key, formula in changed.items()}
    text = json.dumps({**content, **right, **others}, default=np.ndarray.tolist)
    return Path(write("exercise-2.yaml", variants.head(student) + text))


def test_the_gradient_of_two_layers_passes():
    """Within a millionth, with a point for each of its four arrays; settings are refused."""
    assert [] == grade_file(2, numbers("Ada L.")).wrong
    done = check(str(numbers(dw1="dw1 + 9e-7")), "--lesson", "2")
    assert (0, "5 of 5 criteria met, 4 of 4 points") == (done.code, done.out.splitlines()[-1])
    assert 2 == check("exercise-2.yaml", "--lesson", "2", "dw1=0").code


@pytest.mark.parametrize(("name", "formula", "hint"), MISTAKES)
def test_a_mistake_in_a_gradient_is_named(name, formula, hint):
    """By what gives just these numbers; the other three arrays have their points."""
    grade = grade_file(2, numbers(**{name: formula}))
    assert [(name, hint)] == [(each.check, each.detail[: len(hint)]) for each in grade.wrong]
    assert (3, 4) == (grade.points, grade.of)


@pytest.mark.parametrize("changed", [{"x": "x + 1"}, {"w3": "1"}])
def test_the_gradient_of_another_network_has_no_points(changed):
    """Nor has an unchanged start; what is no mapping is refused."""
    grade = grade_file(2, numbers(**changed))
    assert (["task"], 0) == ([finding.check for finding in grade.wrong], grade.points)
    assert 0 == grade_file(2, exercise_file(2)).points
    Path("a.yaml").write_text("- 1")
    assert "a.yaml: holds no arrays with names" in check("a.yaml", "--lesson", "2").err


# Every exercise: its solution, and wrong attempts; the lessons show what the start lacks.

FEW = SEEDS[:2]


def graded(lesson: int, edits: Edits, folder: Path, seeds: range = FEW) -> Grade:
    """The grade of an attempt."""
    start = exercise_file(lesson)
    text = edited(start.read_text(encoding="utf-8"), edits)
    file = Path(write(str(folder / start.name), text))
    return grade(lesson, EXERCISES[lesson], load_config(file), load_config(start), seeds)


def edited(text: str, edits: Edits, varied: Callable[[str], str] = str) -> str:
    """The start of an exercise after these edits, or after those that its variant has for them."""
    for old, new in edits:
        assert varied(old) in text
        text = text.replace(varied(old), varied(new))
    return text


@pytest.mark.parametrize(
    ("lesson", "edits"),
    [(lesson, edits) for lesson, several in SOLUTIONS.items() for edits in several],
)
def test_a_solution_meets_everything(lesson, edits, tmp_path):
    """With all seeds of the grade; a second solution with some."""
    first = edits is SOLUTIONS[lesson][0]
    found = graded(lesson, edits, tmp_path, SEEDS if first else FEW)
    assert [] == [(finding.check, finding.says) for finding in found.wrong]
    assert found.of == found.points


@pytest.mark.parametrize("lesson", EXERCISES)
def test_an_unchanged_start_earns_nothing(lesson, tmp_path):
    """Points are for what it does not meet, and the criteria that it meets are marked as such."""
    found = graded(lesson, [], tmp_path, SEEDS)
    assert found.kept == {finding.check for finding in found.findings if finding.passed}
    assert 0 == found.points < found.of


def test_points_are_lost_with_what_the_start_meets(tmp_path):
    """A right answer to the rest is one to another exercise."""
    layers = "{type: dense, units: 64, activation: relu}\n    - " * 2
    found = graded(7, [*SOLUTIONS[7][0], (layers, layers.replace("64", "32"))], tmp_path)
    assert ["layers"] == [finding.check for finding in found.wrong]
    assert 0 == found.points
    assert {0} == {criterion["points"] for criterion in found.criteria}


# (lesson, edits, a criterion that is not met, advice that is followed already)
FOLLOWED: list[tuple[int, Edits, str, str]] = [
    (1, [("none", "minmax"), ("0.01,", "2,")], "least squares", "Bring all"),
    (3, [("[8, 2]", "[5, 2]")], "accurate", "Each hidden unit"),
    (5, [("0.002", "{schedule: cosine, initial: 0.00001}")], "close", "let it fall"),
    (7, [], "not too much", "Regularize less"),
    (8, [("{type: dense, units: 32, activation: tanh}", NORMALIZED)], "weights × 3", "Put batch"),
]


@pytest.mark.parametrize(("lesson", "edits", "check", "followed"), FOLLOWED)
def test_no_hint_advises_what_is_so_already(lesson, edits, check, followed, tmp_path):
    """Nor its opposite beside it."""
    wrong = graded(lesson, edits, tmp_path).wrong
    assert check in [finding.check for finding in wrong]
    assert [] == [finding.detail for finding in wrong if followed in finding.detail]


@pytest.mark.parametrize("lesson", EXERCISES)
def test_wrong_attempts_are_told_what_is_missing(lesson, tmp_path):
    """By the criterion that each does not meet, with a hint; three or more fail each criterion."""
    missed = Counter[str]()
    for edits, check, says in [attempt for number, *attempt in WRONG if number == lesson]:
        wrong = {finding.check: finding for finding in graded(lesson, edits, tmp_path).wrong}
        missed.update([*wrong])
        assert check in wrong, edits
        assert says == wrong[check].says[: len(says)]
        assert any(finding.detail for finding in wrong.values())
    assert [] == [each.name for each in EXERCISES[lesson].criteria if missed[each.name] < 3]
    assert 2 <= len(SOLUTIONS[lesson])


def test_every_exercise_has_solutions():
    """And wrong attempts, except those of two lessons, which are no configs."""
    assert set(NUMBERS) - {OWN_GRADIENT, OWN_LAYER} == set(EXERCISES) == set(SOLUTIONS)


@pytest.mark.parametrize("which", [0, 1])
def test_growth_beyond_the_range_of_numbers_is_in_words(which, monkeypatch):
    """Of values, and where their quotient is no number."""
    monkeypatch.setattr(deep, "_growth", lambda *_: (float("inf"), float("nan")))
    passed, says = deep._keeps("values", which)(SimpleNamespace(seeds=[1]))
    assert (False, "values become more than 1e+308 times") == (
        passed,
        says.partition(" as large")[0],
    )
