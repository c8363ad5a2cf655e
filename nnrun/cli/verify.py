"""`nnrun verify`: whether runs can be had again, number by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.group import Interruption
from nnrun.cli.named_run import picked
from nnrun.cli.output import Output
from nnrun.errors import DisagreementError, NnrunError, UsageError
from nnrun.reports.live.work import Steps
from nnrun.reports.run import report_markdown
from nnrun.reports.shown import shown
from nnrun.reports.terminal.verdicts import difference_words, summary, verdicts_table
from nnrun.runs.catalog.select import name_in
from nnrun.runs.storage.reading import damaged, list_runs
from nnrun.runs.verify import Verification, verify_all
from nnrun.systems.process import cores


@click.command("verify")
@options.run_argument(many=True)
@options.jobs_option("Verify N runs at a time; by default as many as there are cores.")
@options.data_option
@options.by_option
@options.results_options
def command(
    output: Output,
    /,
    runs: tuple[str, ...],
    jobs: int | None,
    by: str | None,
    results: Path,
) -> None:
    """Train runs again, and compare the results with what is stored.

    RUN is a run's folder, the name of an experiment (its newest run with a model), name/best,
    name/ID-PREFIX, or latest; without any, all complete runs in the results folder are verified.
    First the files of a run are checked against the digests in its report, and the report against
    its own. Then it is trained again, in memory: every cell of its history, every metric and every
    weight must be the same bits, and so must all else that its files say and training gives again:
    network, preprocessing, threshold, state, config, seed, data, baseline, early stopping,
    warnings. Where the versions of Python, NumPy, BLAS or nnrun, or the CPU, have changed, losses
    and weights may differ by 1e-6 (1e-3 for float32), and shares of rows by 0.01; the output says
    which of the two was met.

    Exits with 3 if a run is damaged or gives other results, with 1 if one cannot be verified.

    \b
    nnrun verify latest
    nnrun verify digits_cnn/s42
    nnrun verify
    """
    named = [picked(run, results, output, by, passed_over=("failed",)) for run in runs]
    folders = named or _all(results)
    verdicts = []
    with (
        Interruption(before="all runs were verified"),
        shown(Steps(len(folders)), output) as report,
    ):
        for checked in verify_all(folders, jobs or cores(), report_markdown):
            verdict = replace(checked, name=name_in(Path(checked.folder), results) or checked.name)
            verdicts.append(verdict)
            report(f"{verdict.name}/{verdict.run_id}: {verdict.finding.replace('_', ' ')}")
    output.data(
        {
            "agree": all(verdict.agrees for verdict in verdicts),
            "runs": [{**asdict(verdict), "agrees": verdict.agrees} for verdict in verdicts],
        }
    )
    output.show(verdicts_table(verdicts))
    wrong = [verdict for verdict in verdicts if not verdict.agrees]
    if any(verdict.exit_code == DisagreementError.exit_code for verdict in wrong):
        raise DisagreementError(_message(wrong, results))
    if wrong:
        error = NnrunError(_message(wrong, results))
        error.exit_code = max(verdict.exit_code for verdict in wrong)
        raise error


def _message(wrong: Sequence[Verification], results: Path) -> str:
    first, more = wrong[0], f"; {summary(wrong)}" if len(wrong) > 1 else ""
    label = f"{first.name}/{first.run_id}"
    if first.finding == "damaged":
        folder = Path(first.folder)  # of a packed run, it is there for this command alone
        return damaged(label, first.reason, folder if name_in(folder, results) else None) + more
    reason = "; ".join(filter(None, [first.reason, *map(difference_words, first.differences[:1])]))
    return f"{label}: {reason}{more}"


def _all(results: Path) -> list[Path]:
    if not results.is_dir():
        raise UsageError(f"there is no results folder {results}; nnrun train and sweep make one")
    folders = [
        results / run.name / run.run_id
        for run in list_runs(results)
        if run.complete or run.is_damaged
    ]
    if not folders:
        raise UsageError(f"there is no complete run in {results}")
    return folders
