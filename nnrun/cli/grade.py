"""`nnrun grade`: the hand-ins of a class."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.group import Interruption
from nnrun.cli.options import check_target
from nnrun.cli.output import Output
from nnrun.course.files import NUMBERS, OWN_EXERCISE
from nnrun.errors import ExerciseError, UsageError
from nnrun.reports.numbers import plural
from nnrun.runs.storage.durable import write_atomically
from nnrun.systems.process import cores


@click.command("grade")
@click.argument("folder", type=click.Path(path_type=Path), shell_complete=options.files)
@options.number(
    "--lesson",
    "The lesson of all hand-ins; by default the one that the name of each says.",
    min(NUMBERS),
    max(NUMBERS),
)
@options.path("--exercise", "All hand in an exercise of your own: `nnrun help teachers`.")
@options.flag("--exam", "Give no hints.")
@options.number(
    "--seconds", "Give each hand-in N seconds at the most.", default=120, show_default=True
)
@options.jobs_option("Grade N at a time; by default as many as there are cores.")
@options.file_option("Write the grades there as CSV, instead of tables to stdout.")
@options.wide_option
@options.output_options
def command(
    output: Output,
    folder: Path,
    lesson: int | None,
    exercise: Path | None,
    exam: bool,
    seconds: int,
    jobs: int | None,
    file: Path | None,
) -> None:
    """Grade the exercises of a class.

    FOLDER has a file for each student, such as ada.yaml, or a sub-folder for each, with files as
    `nnrun init --lesson` names them. Each is a row, also one that cannot be graded, which has an
    error and no points. Those whose content is the same but for comments and blanks name each
    other.

    Hand-ins are graded in processes that work in a temporary folder. Configs run no code of
    students; the layers of lesson 11 do, with all that you may do yourself.

    Exits with 1 if none could be graded.

    \b
    nnrun grade class/ -o grades.csv
    nnrun grade class/ --lesson 1 --exam
    nnrun grade class/ --exercise mine.yaml
    """
    from nnrun.course.hand_ins import find_hand_ins, grade_all  # noqa: PLC0415  # slow to import
    from nnrun.reports.grades import grades_csv, grades_tables  # noqa: PLC0415  # likewise
    from nnrun.reports.live.work import Steps  # noqa: PLC0415  # likewise
    from nnrun.reports.shown import shown  # noqa: PLC0415  # likewise

    check_target(file)
    if not folder.is_dir():
        there = "is no folder" if folder.exists() else "there is no such folder"
        raise UsageError(f"{folder}: {there}; hand-ins are in one")
    if exercise is not None:
        from nnrun.course.own_exercise import load_exercise  # noqa: PLC0415  # likewise

        load_exercise(exercise)  # whose mistakes are said once
        lesson = OWN_EXERCISE
    hand_ins = find_hand_ins(folder, lesson, file)
    if not hand_ins:
        raise UsageError(
            f"{folder}: there is no hand-in; a file or a folder for each student is one"
        )
    grades = {}
    with (
        Interruption(before="all hand-ins were graded"),
        shown(Steps(len(hand_ins)), output) as report,
        closing(grade_all(hand_ins, jobs or cores(), seconds, exercise)) as graded,
    ):
        for place, grade in graded:
            grades[place] = grade
            report(grade.hand_in.student)
    ordered = [grades[place] for place in range(len(hand_ins))]
    output.data([grade.to_dict(hints=not exam) for grade in ordered])
    if file is None:
        output.show(grades_tables(ordered, hints=not exam))
    else:
        write_atomically(file, grades_csv(ordered).encode())
        output.note(f"wrote {file}, with {plural(len(ordered), 'hand-in')}")
    if all(grade.error for grade in ordered):
        raise ExerciseError(f"{folder}: no hand-in could be graded; {ordered[0].error}")
