"""The board of a sweep that may be a shard of a larger one."""

from __future__ import annotations

from typing import Any

from nnrun.cli.arguments import command_again
from nnrun.reports.markdown.leaderboard_files import leaderboard_files
from nnrun.runs.storage.store import Store
from nnrun.sweeps.board.from_store.gathered import gathered, gathered_leaderboard
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.rows import Leaderboard, with_margin
from nnrun.sweeps.planning.plan import Plan
from nnrun.sweeps.planning.shard import WHOLE
from nnrun.sweeps.progress import SweepProgress


def board_of(progress: SweepProgress, store: Store, margin: float | None) -> Leaderboard:
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


def shard_data(plan: Plan) -> dict[str, Any]:
    """What JSON says of a shard; nothing of a whole sweep."""
    if plan.shard == WHOLE:
        return {}
    return {"shard": str(plan.shard), "runs_of_all_shards": len(plan.whole)}


def write_news(
    board: Leaderboard, progress: SweepProgress, store: Store, margin: float | None
) -> None:
    """Write the board again while other shards have ended since it was made.

    So the last of several shards that end at the same time writes the board of all of them, also
    where locks do not reach other machines.

    Raises:
        OSError: it cannot be written.
    """
    while board.unfinished is not None:
        later = board_of(progress, store, margin)
        if later.unfinished is not None and later.unfinished.missing == board.unfinished.missing:
            return
        store.write(leaderboard_files(later))
        board = later
