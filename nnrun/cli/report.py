"""`nnrun report`: one HTML file over many runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from nnrun.cli import options
from nnrun.cli.options import check_target
from nnrun.cli.output import Output
from nnrun.errors import NnrunError, UsageError
from nnrun.reports.charts.chart import FORMATS, figure_files
from nnrun.reports.html.overview import find_runs
from nnrun.reports.html.report import IMPORTANCE_SECONDS, Report, render
from nnrun.reports.numbers import count, plural
from nnrun.runs.preparation.memory import human_bytes
from nnrun.runs.storage.durable import new_folder, write_atomically, write_together
from nnrun.runs.storage.sweep_progress import sweeps_in
from nnrun.sweeps.planning.variants import Datasets

_SUFFIXES = (".html", ".htm")


@click.command("report")
@options.run_argument(many=True)
@options.file_option("Where to write the report.  [default: report.html]")
@options.path(
    "--figures", "Write every chart into this folder, as a file of its own; a report only with -o.",
    "DIR", type=options.Folder(),
)  # fmt: skip
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="svg",
    show_default=True,
    help="Of the figures; pdf and png need the extra nnrun[figures].",
)
@options.order_by_option
@options.margin_option
@options.flag(
    "--importance/--no-importance",
    "Compute which columns or pixels count, for one run of each setting; by default for the best "
    f"of each board, as far as that takes some {IMPORTANCE_SECONDS:.0f} seconds in all. Later "
    "reports have it from the run's folder.",
    default=None,
)
@options.flag(
    "--brief",
    "For print: of several runs without their details, of one without what is seldom read.",
)
@options.data_option
@options.results_options
def command(
    output: Output,
    /,
    runs: tuple[str, ...],
    file: Path | None,
    figures: Path | None,
    form: str,
    order_by: str | None,
    margin: float | None,
    importance: bool | None,
    brief: bool,
    results: Path,
) -> None:
    """Write one HTML file that shows runs: leaderboard, learning curves, details of runs.

    RUN is a run's folder, a folder of runs such as results/iris_softmax, NAME for the newest run
    of that name or for all runs of a search, NAME/best, NAME/ID-PREFIX, or `latest`; without any,
    the report is over all runs in the results folder. The file needs nothing else: it opens from
    disk, can be mailed, and prints.

    \b
    nnrun report
    nnrun report latest -o latest.html
    nnrun report results/digits_arch1 results/digits_arch2
    nnrun report --brief -o print.html
    nnrun report --figures figures --format pdf
    """
    if file is not None and file.suffix.lower() not in _SUFFIXES:
        raise UsageError(
            f"-o {file}: a report is HTML, in a file whose name ends in .html or .htm; "
            "--figures DIR with --format pdf, png or svg writes its charts as such files"
        )
    check_target(file)
    selected = find_runs(runs, results, order_by)
    sweeps = () if runs else sweeps_in(results)
    report = Report(
        selected, Datasets().load, margin=margin, importance=importance, brief=brief, sweeps=sweeps
    )
    output.notes(report.problems)
    data: dict[str, Any] = {"runs": len(selected), "in_full": report.in_full}
    data["verdict"] = report.verdict.to_dict()
    if figures is not None:
        drawn = dict(figure_files(report.charts(), form))
        with _write_errors(figures), new_folder(figures):
            write_together(figures, drawn)
        data["figures"] = list(drawn)
        output.note(f"wrote {plural(len(data['figures']), 'figure')} into {figures}")
    if figures is None or file is not None:
        file = file or Path("report.html")
        text = render(report).encode()
        with _write_errors(file):
            write_atomically(file, text)
        data |= {"file": str(file), "bytes": len(text)}
        output.note(f"wrote {file}: {plural(len(selected), 'run')}, {human_bytes(len(text))}")
        if 0 < len(report.in_full) < len(selected) and not brief:
            output.note(f"details of {count(len(report.in_full))} of them; the file says which")
    output.data(data)


@contextmanager
def _write_errors(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        wrong = error.filename or place
        raise NnrunError(f"{wrong} cannot be written: {error.strerror or error}") from error
