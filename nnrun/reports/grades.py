"""Grades of a class: a CSV file, and tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType, group
from rich.text import Text

from nnrun.characters import cell, csv_line
from nnrun.course.hand_ins import GradedHandIn
from nnrun.reports.terminal.fitting import Column, FittedTable


def grades_csv(grades: Sequence[GradedHandIn]) -> str:
    """A row for each hand-in; 1 where a criterion is met, 0 where it is not, empty elsewhere."""
    names = [
        *dict.fromkeys(each["name"] for grade in _by_lesson(grades) for each in grade.criteria)
    ]
    header = ["student", "lesson", "points", *names, "error", "same_as", "for"]
    return csv_line(header) + "".join(csv_line(map(cell, _row(each, names))) for each in grades)


def _row(grade: GradedHandIn, names: Sequence[str]) -> Iterator[str | int | None]:
    met = {each["name"]: int(each["met"]) for each in grade.criteria}
    yield from (grade.hand_in.student, grade.hand_in.lesson, grade.points)
    yield from map(met.get, names)
    yield from (grade.error, ", ".join(grade.same_as), grade.hand_in.variant)


def _by_lesson(grades: Sequence[GradedHandIn]) -> list[GradedHandIn]:
    return sorted(grades, key=lambda grade: grade.hand_in.lesson or 0)


@group()
def grades_tables(grades: Sequence[GradedHandIn], *, hints: bool) -> Iterator[RenderableType]:
    """A table for each lesson; below it, with `hints`, what those who need it may think about."""
    lessons = dict.fromkeys(grade.hand_in.lesson for grade in _by_lesson(grades))
    for number, lesson in enumerate(lessons):
        some = [grade for grade in grades if grade.hand_in.lesson == lesson]
        if number:
            yield Text()
        yield Text("no lesson" if not lesson else f"lesson {lesson}", "bold")
        yield _table(some)
        if hints:
            yield from _hints(some)


def _table(grades: Sequence[GradedHandIn]) -> FittedTable:
    names = dict.fromkeys(each["name"] for grade in grades for each in grade.criteria)
    columns = [
        Column("student", [grade.hand_in.student for grade in grades], left=True),
        Column("points", [str(grade.points) for grade in grades]),
        *(Column(name, [_mark(grade, name) for grade in grades], need=1) for name in names),
    ]
    same = [", ".join(grade.same_as) for grade in grades]
    errors = [grade.error for grade in grades]
    variants = [grade.hand_in.variant for grade in grades]
    for title, cells in (("for", variants), ("same as", same), ("error", errors)):
        if any(cells):
            columns.append(Column(title, cells, left=True, wraps=True))
    return FittedTable(columns)


def _mark(grade: GradedHandIn, name: str) -> Text:
    met = {each["name"]: each["met"] for each in grade.criteria}
    if name not in met:
        return Text("")
    return Text("met", "green") if met[name] else Text("—", "bold red")


def _hints(grades: Sequence[GradedHandIn]) -> Iterator[Text]:
    """Each hint, and for whom it is."""
    students: dict[tuple[str, str], list[str]] = {}
    for grade in grades:
        for each in grade.missing:
            if each["hint"]:
                whom = students.setdefault((each["name"], each["hint"]), [])
                whom.append(grade.hand_in.student)
    for (name, hint), whom in students.items():
        yield Text.assemble((f"{name}: ", "bold"), f"{hint} ({', '.join(whom)})")
