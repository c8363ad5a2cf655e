"""What `nnrun check` shows: configs, a range test of the learning rate, parts, exercises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType, group
from rich.table import Table
from rich.text import Text

from nnrun.course.grading import Grade
from nnrun.plugins.checker.findings import PartReport, Points
from nnrun.plugins.kinds import KINDS
from nnrun.reports.checks import CheckedRun, check_document
from nnrun.reports.numbers import count, plural
from nnrun.reports.terminal.fitting import Column, FittedTable, document, labelled
from nnrun.reports.terminal.plot import Axis, Curve, Plot
from nnrun.runs.execution.rate_finder import FALLEN, HIGHEST, LOWEST, RateCurve
from nnrun.runs.preparation.memory import human_bytes


@group()
def check_details(run: CheckedRun) -> Iterator[RenderableType]:
    """Everything about one config."""
    yield document(check_document(run))
    if run.learning_rate is not None:
        yield Text()
        yield from rate_curve(run.learning_rate)


def check_overview(runs: Sequence[CheckedRun]) -> RenderableType:
    """A line for each of several configs."""
    with_gradients = any(run.gradients is not None for run in runs)
    folders = {str(Path(run.file).parent) for run in runs}
    files = [Path(run.file).name if len(folders) == 1 else run.file for run in runs]
    sizes = [human_bytes(run.memory.total) if run.memory else "" for run in runs]
    table = FittedTable([
        Column("config", files, left=True),
        Column("data", [run.dataset["name"] for run in runs], need=2, left=True),
        Column("parameters", [_if_network(run, run.network["parameters"]) for run in runs], need=1),
        Column("iterations", [_if_network(run, run.iterations) for run in runs], need=3),
        Column("gradients", [_verdict(run.gradients_agree) for run in runs])
        if with_gradients
        else Column("memory", sizes, need=4),
    ])  # fmt: skip
    return Group(table, Text(), Text(plural(len(runs), "valid config"), "green"))


def _if_network(run: CheckedRun, number_of: int) -> str:
    return count(number_of) if run.beside is None else ""


def _verdict(agrees: bool) -> Text:
    return Text("agree", "green") if agrees else Text("WRONG", "bold red")


def rate_curve(test: RateCurve) -> Iterator[RenderableType]:
    """The training loss over the rates, and the suggestion."""
    if len(test.rates) > 1:
        curve = Curve("while the rate rises", range(len(test.rates)), test.losses, "•", "cyan")
        axis = Axis(_rate(LOWEST), "learning rate, logarithmic", _rate(test.rates[-1]))
        yield Plot("training loss", [curve], axis)
    updates = plural(test.updates, "update")
    if test.suggestion is None:
        yield labelled("rate", f"within {updates}, no rate lowers the loss by {FALLEN:.0%}")
    else:
        rate = _rate(test.suggestion)
        yield labelled("rate", f"try {rate}, a tenth of where the loss is smallest:")
        yield labelled("", f"training.learning_rate={rate}")
    if test.highest is None:
        yield labelled("", f"the loss does not explode up to {HIGHEST:g}")
    else:
        yield labelled("", f"the loss explodes at {_rate(test.highest)}")


def _rate(value: float) -> str:
    """Number in two digits, which is more than the test can tell."""
    return f"{value:.2g}"


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
    yield Text.assemble((grade.file, "bold"), f"  lesson {grade.lesson}" if grade.lesson else "")
    yield Text()
    yield _checks(grade, "met", "not yet")
    yield Text()
    met = f"{sum(each.passed for each in grade.findings)} of {len(grade.findings)} criteria met"
    yield Text(f"{met}, {grade.points} of {plural(grade.of, 'point')}")
    if grade.tests:
        means = ", ".join(f"{name} {value:.4g}" for name, value in grade.tests.items())
        yield Text(f"on test rows, which are looked at once: {means} in the mean")


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
