"""`nnrun compare`: what differs between runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.arguments import command_line
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.reports.terminal.compare import comparison_tables
from nnrun.runs.catalog.compare import compare
from nnrun.runs.catalog.select import lies_in
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.folders import ids_in
from nnrun.runs.storage.reading import StoredRun, read_run, refuse_damaged
from nnrun.sweeps.board.leaderboard import Leaderboard, groups_of
from nnrun.sweeps.board.margin import with_margin
from nnrun.sweeps.board.pair import PairTest, pair_test
from nnrun.sweeps.board.stored import stored_variants
from nnrun.sweeps.picking import pick_run


@click.command("compare")
@options.run_argument(many=True)
@options.margin_option
@options.wide_option
@options.results_option
@options.json_option
@options.debug_option
@click.pass_obj
def command(output: Output, /, runs: tuple[str, ...], margin: float | None, results: Path) -> None:
    """Show what differs between runs: their settings first, then what came of them.

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
    records = [_record(folder, results) for folder in folders]
    try:
        comparison = compare(records)
        again = command_line("compare", runs, results, {"--margin": margin})
        board, test = _board(records, folders, results, again, margin)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError("one of these runs is damaged; nnrun show tells of each") from None
    output.data(
        {
            **comparison.to_dict(),
            "leaderboard": board and board.to_dict(),
            "test": None if test is None else asdict(test),
        }
    )
    output.show(comparison_tables(comparison, board, _root(folders), test))


def _read(folder: Path, results: Path) -> StoredRun | None:
    return read_run(folder, placed=lies_in(folder, results))


def _record(folder: Path, results: Path) -> RunRecord:
    found = _read(folder, results)
    refuse_damaged(found, folder)
    if found is None or found.record is None:
        why = "no run is there any more" if found is None else found.trouble
        raise UsageError(f"{folder} cannot be compared: {why}")
    return found.record


def _root(folders: Sequence[Path]) -> Path | None:
    """The results folder that all of these runs lie in, if it is one."""
    roots = {os.path.normpath(folder / ".." / "..") for folder in folders}
    return Path(roots.pop()) if len(roots) == 1 else None


def _board(
    records: Sequence[RunRecord],
    folders: Sequence[Path],
    results: Path,
    command: str,
    margin: float | None,
) -> tuple[Leaderboard | None, PairTest | None]:
    """The configs of these runs over all seeds, and the test of two; None where there are none."""
    wanted = [settings_of(record) for record in records]
    found = [
        other
        for parent in dict.fromkeys(Path(os.path.abspath(folder)).parent for folder in folders)
        for run_id in ids_in(parent.parent, parent.name)
        if (stored := _read(parent / run_id, results)) is not None
        and (other := stored.record) is not None
        and stored.complete
        and settings_of(other) in wanted
    ]
    members = [(variant, variant.scores) for variant in stored_variants(found)]
    several = len(members) > 1 and any(len(variant.seeds) > 1 for variant, _ in members)
    if not several:
        return None, None
    board = with_margin(Leaderboard(command, groups_of(members)), margin)
    if len(members) != 2 or len(board.groups) != 1:
        return board, None
    # In the order in which they were asked for.
    ordered = sorted(members, key=lambda member: wanted.index(settings_of(member[0].records[0])))
    return board, pair_test(ordered[0], ordered[1], board.groups[0].ordered_by)
