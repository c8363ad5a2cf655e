"""Every exercise: its solution, and wrong attempts; the lessons show what the start lacks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from nnrun.config.load import load_config
from nnrun.course import exercises as deep
from nnrun.course.exercises import EXERCISES
from nnrun.course.files import NUMBERS, OWN_LAYER, exercise_file
from nnrun.course.grading import SEEDS, Grade, grade
from tests.course.solutions import SOLUTIONS, WRONG, Edits

FEW = SEEDS[:2]


def graded(lesson: int, edits: Edits, folder: Path, seeds: range = FEW) -> Grade:
    """The grade of an attempt."""
    start = exercise_file(lesson)
    text = start.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    file = folder / start.name
    file.write_text(text, encoding="utf-8")
    return grade(lesson, EXERCISES[lesson], load_config(file), load_config(start), seeds)


@pytest.mark.parametrize(
    ("lesson", "edits"),
    [(lesson, edits) for lesson, several in SOLUTIONS.items() for edits in several],
)
def test_a_solution_meets_everything(lesson, edits, tmp_path):
    """With all seeds of the grade; a second solution with some."""
    first = edits is SOLUTIONS[lesson][0]
    found = graded(lesson, edits, tmp_path, SEEDS if first else FEW)
    assert [] == [(finding.check, finding.says) for finding in found.wrong]
    assert len(EXERCISES[lesson].criteria) + 1 == found.points


@pytest.mark.parametrize(("lesson", "edits", "check", "says"), WRONG)
def test_a_wrong_attempt_is_told_what_is_missing(lesson, edits, check, says, tmp_path):
    """By the criterion that it does not meet, with a hint."""
    wrong = {finding.check: finding for finding in graded(lesson, edits, tmp_path).wrong}
    assert check in wrong
    assert says == wrong[check].says[: len(says)]
    assert wrong[check].detail


def test_every_criterion_is_tried():
    """Three wrong attempts or more for each exercise, one of them for each criterion."""
    assert set(NUMBERS) - {OWN_LAYER} == set(EXERCISES) == set(SOLUTIONS)
    assert min(Counter(lesson for lesson, *_ in WRONG).values()) >= 3
    tried = {(lesson, check) for lesson, _, check, _ in WRONG}
    known = {(lesson, each.name) for lesson, e in EXERCISES.items() for each in e.criteria}
    assert set() == {(lesson, name) for lesson, name in known if name not in _SELDOM} - tried


_SELDOM = {
    "stable",
    "learns",
    "gap",
    "readable",
    "validation",
    "batch_norm",
    "weights × 0.3",
    "weights × 1",
}
"""Those that wrong attempts at another criterion, or the starts in lessons, do not meet either."""


@pytest.mark.parametrize("which", [0, 1])
def test_growth_beyond_the_range_of_numbers_is_in_words(which, monkeypatch):
    """Of values, and where their quotient is no number."""
    monkeypatch.setattr(deep, "_growth", lambda *_: (float("inf"), float("nan")))
    passed, says = deep._keeps("values", which)(SimpleNamespace(seeds=[1]))
    assert (False, "values become more than 1e+308 times") == (
        passed,
        says.partition(" as large")[0],
    )
