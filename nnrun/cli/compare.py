"""`nnrun compare`: what differs between runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.named_run import report_of
from nnrun.cli.options import command_again
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.reports.board_verdict import board_data
from nnrun.reports.terminal.sweeps import comparison_tables
from nnrun.runs.catalog.compare import compare
from nnrun.sweeps.board.stored import comparison_board
from nnrun.sweeps.named_runs import pick_run


@click.command("compare")
@options.run_argument(many=True)
@options.order_by_option
@options.margin_option
@options.wide_option
@options.listing_options
def command(
    output: Output,
    /,
    runs: tuple[str, ...],
    order_by: str | None,
    margin: float | None,
    results: Path,
) -> None:
    """Show what differs between runs: their settings first, then their results.

    RUN is a run's folder, the name of an experiment (its newest run), name/best, name/ID-PREFIX, or
    latest.
    Below that, the configs of these runs are compared over all seeds that are stored beside them,
    paired over common seeds. Of two configs, one test says p and the interval of the difference.

    \b
    nnrun compare digits_arch1 digits_arch2
    nnrun compare iris_softmax/s42-1f iris_softmax/s42-2a iris_softmax/s42-c0
    """
    if len(runs) < 2:
        raise UsageError("compare takes two runs or more; `nnrun show RUN` shows one")
    folders = [pick_run(run, results) for run in runs]
    records = [report_of(folder, results, "compared") for folder in folders]
    try:
        comparison = compare(records)
        board, test = comparison_board(records, folders, results, command_again(), margin, order_by)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError("one of these runs is damaged; nnrun show says which") from None
    output.data(
        {
            **comparison.to_dict(),
            "leaderboard": board and board_data(board),
            "test": None if test is None else asdict(test),
        }
    )
    output.show(comparison_tables(comparison, board, _root(folders), test))


def _root(folders: Sequence[Path]) -> Path | None:
    """The results folder of all these runs, if they share one."""
    roots = {os.path.normpath(folder / ".." / "..") for folder in folders}
    return Path(roots.pop()) if len(roots) == 1 else None
