"""What is right and what is wrong of parts and of exercises, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType, group
from rich.table import Table
from rich.text import Text

from nnrun.course.grading import Grade
from nnrun.plugins.checker.findings import PartReport, Points
from nnrun.plugins.kinds import KINDS


@group()
def checked_parts(reports: Sequence[PartReport]) -> Iterator[RenderableType]:
    """Every check of every part, and how many are passed."""
    for report in reports:
        part = report.part
        yield Text.assemble((part.name, "bold"), f"  {part.kind}, {part.place}")
        if part.name in KINDS[part.kind].table.own:
            yield Text("the name is one of nnrun's own, under which it cannot be trained")
        yield Text()
        yield _checks(report)
        yield Text()
    checks = sum(len(report.findings) for report in reports)
    yield Text(f"{sum(report.points for report in reports)} of {checks} checks passed")


@group()
def graded(grade: Grade) -> Iterator[RenderableType]:
    """Every criterion of an exercise, and how many are met."""
    yield Text.assemble((grade.file, "bold"), f"  lesson {grade.lesson}")
    yield Text()
    yield _checks(grade, "met", "not yet")
    yield Text()
    yield Text(f"{grade.points} of {len(grade.findings)} criteria met")


def _checks(report: Points, right: str = "right", wrong: str = "wrong") -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    last = {finding.detail: finding for finding in report.findings}  # a hint may be of several
    for finding in report.findings:
        mark = Text(right, "green") if finding.passed else Text(wrong, "bold red")
        mark = mark if finding.reached else Text("—", "dim")
        table.add_row(mark, Text(finding.check, no_wrap=True), Text(finding.says))
        if finding.detail and last[finding.detail] is finding:
            table.add_row("", "", Text(finding.detail))
    return table
