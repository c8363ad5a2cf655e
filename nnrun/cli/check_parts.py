"""`nnrun check FILE.py`: the parts that a Python file registers."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.cli.output import Output
from nnrun.errors import DisagreementError
from nnrun.reports.terminal.checking.parts import checked_parts
from nnrun.runs.storage.contents.strict_json import strict_json

SUFFIX = ".py"


def are_parts(paths: list[Path]) -> bool:
    """Whether these are Python files.

    Raises:
        click.UsageError: some are, and others are configs.
    """
    python = [path for path in paths if path.suffix == SUFFIX]
    if python and len(python) < len(paths):
        message = f"{python[0]} is a file of parts, and {paths[-1]} a config; check them apart"
        raise click.UsageError(message)
    return bool(python)


def check_parts(output: Output, files: list[Path], *, points: bool) -> None:
    """Check the parts of files, and print what is right and what is wrong.

    Raises:
        PluginError: a file cannot be loaded.
        DisagreementError: a part is wrong.
    """
    from nnrun.plugins.checker.check import check_file  # noqa: PLC0415  # for such files only

    reports = [report for file in files for report in check_file(file)]
    parts = [report.to_dict() for report in reports]
    data = {
        "points": sum(part["points"] for part in parts),
        "of": sum(part["of"] for part in parts),
        "parts": parts,
    }
    output.data(data)
    if points and not output.json:
        click.echo(strict_json(data), nl=False)
    elif not points:
        output.show(checked_parts(reports))
    wrong = [report for report in reports if report.wrong]
    if wrong:
        first = wrong[0].wrong[0]
        says = f"{wrong[0].part.place}: {wrong[0].part.name}: {first.check}: {first.says}"
        more = sum(len(report.wrong) for report in wrong) - 1
        raise DisagreementError(says + (f" (and {more} more)" if more else ""))
