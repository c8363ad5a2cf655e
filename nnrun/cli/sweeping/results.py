"""The results of a sweep: shown and written, and the errors that the command ends with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nnrun.cli.arguments import command_again
from nnrun.cli.output import Output
from nnrun.cli.signals import Interruption
from nnrun.cli.sweeping.request import Request
from nnrun.config.names import REPLICATION
from nnrun.errors import NnrunError
from nnrun.garbage import not_collected
from nnrun.reports.boards import incomplete
from nnrun.reports.markdown.leaderboard_files import leaderboard_files
from nnrun.reports.markdown.replication import replication_markdown
from nnrun.reports.numbers import count, duration, plural
from nnrun.reports.terminal.boards import leaderboard_tables
from nnrun.reports.verdict.board import board_data
from nnrun.runs.storage.reading import read_run
from nnrun.runs.storage.store import Store
from nnrun.sweeps.board.from_store.gathered import gathered, gathered_leaderboard
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.published import Replication
from nnrun.sweeps.board.rows import Leaderboard, with_margin
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.planning.shard import WHOLE
from nnrun.sweeps.progress import Failure, SweepProgress
from nnrun.trackers.tracking import Tracking

_MOST_FAILURES = 20


@not_collected()
def conclude(
    progress: SweepProgress,
    store: Store,
    output: Output,
    interruption: Interruption,
    asked: Request,
    again: str,
    replicated: Sequence[Replication],
    tracking: Tracking,
) -> None:
    """Show and write the results, and exit with their code."""
    whole = not progress.missing
    board = _board_of(progress, store, asked.margin) if whole else None
    output.data(
        {
            "runs": len(progress.plan),
            **_shard_data(progress.plan),
            "trained": progress.trained,
            "complete_before": progress.found,
            "diverged": progress.diverged,
            "failed": progress.failed,
            "left": progress.missing,
            "failures": [asdict(failure) for failure in progress.failures],
            "leaderboard": board_data(board) if board is not None and output.json else None,
        }
    )
    errors = [_failures(progress, store)] if progress.failures else []
    if board is not None:
        output.show(leaderboard_tables(board, store.root))
        files = leaderboard_files(board)
        if asked.replication:
            files[REPLICATION] = replication_markdown(replicated, again).encode()
        try:
            store.write(files)
            output.note(f"wrote {', '.join(str(store.root / name) for name in files)}")
            tracking.board([store.root / name for name in files])
            _write_news(board, progress, store, asked.margin)
        except OSError as error:
            place = error.filename or store.root
            reason = error.strerror or error
            errors.append(f"the leaderboard cannot be written: {place}: {reason}")
    else:
        remedy = "to continue, keeping complete runs" if asked.force else "to continue"
        errors.append(f"{remedy}:\n  {again}")
    if interruption.stop() and not whole:
        saved = f", {count(progress.interrupted)} saved half-way" if progress.interrupted else ""
        # Those that it did not get to may be complete already.
        done = f"{count(progress.ended)} of {plural(len(progress.plan), 'run')}{saved}"
        raise interruption.error("\n".join([f"interrupted after {done}", *errors]))
    if errors:
        raise NnrunError("\n".join(errors))


def summary(progress: SweepProgress, seconds: float) -> str:
    """How many runs were trained, were complete, failed and are left."""
    parts = [f"{count(progress.trained)} trained in {duration(seconds)}"]
    if progress.found:
        parts.append(f"{count(progress.found)} complete already")
    parts += incomplete(progress)
    if progress.missing:
        most = "up to " if progress.reached < len(progress.plan) else ""
        parts.append(f"{most}{count(progress.missing)} left")
    return f"{_runs_of(progress.plan)}: {', '.join(parts)}"


def _runs_of(plan: Plan) -> str:
    """`12 runs`, or `shard 2/3, 4 of 12 runs`."""
    if plan.shard == WHOLE:
        return plural(len(plan), "run")
    return f"shard {plan.shard}, {count(len(plan))} of {plural(len(plan.whole), 'run')}"


def _failures(progress: SweepProgress, store: Store) -> str:
    number = len(progress.failures)
    lines = [f"of {plural(len(progress.plan), 'run')}, {' and '.join(incomplete(progress))}"]
    lines += [_failure(failure, store) for failure in progress.failures[:_MOST_FAILURES]]
    if number > _MOST_FAILURES:
        lines.append(f"  and {count(number - _MOST_FAILURES)} more")
    return "\n".join(lines)


def _failure(failure: Failure, store: Store) -> str:
    report = store.root / failure.key / "report.md"
    # Its folder may not be one to enter; and if the end could not be saved, an older report may
    # be in it.
    stored = read_run(report.parent) if os.access(report, os.R_OK) else None
    saved = stored is not None and stored.record is not None and stored.record.error is not None
    return f"  {failure.label}: {report if saved else failure.reason}"


def _board_of(progress: SweepProgress, store: Store, margin: float | None) -> Leaderboard:
    """The board of a sweep; after a shard, with the stored runs of the others.

    Once the runs of all shards are there, it is that of the sweep without --shard.
    """
    command = command_again(force=None, shard=None)
    if progress.plan.shard == WHOLE:
        board = make_leaderboard(progress, command)
    else:
        whole = gathered(progress, store)
        board = gathered_leaderboard(whole, progress.plan.shard, command)
    return with_margin(board, margin)


def _shard_data(plan: Plan) -> dict[str, Any]:
    """What JSON says of a shard; nothing of a whole sweep."""
    if plan.shard == WHOLE:
        return {}
    return {"shard": str(plan.shard), "runs_of_all_shards": len(plan.whole)}


def _write_news(
    board: Leaderboard, progress: SweepProgress, store: Store, margin: float | None
) -> None:
    """Write the board again while other shards have ended since it was made.

    So the last of several shards that end at the same time writes the board of all of them, also
    where locks do not reach other machines.

    Raises:
        OSError: it cannot be written.
    """
    while board.unfinished is not None:
        later = _board_of(progress, store, margin)
        if later.unfinished is not None and later.unfinished.missing == board.unfinished.missing:
            return
        store.write(leaderboard_files(later))
        board = later
