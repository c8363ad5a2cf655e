"""The results of a search: shown, and the errors that the command ends with."""

from __future__ import annotations

from math import ceil

from nnrun.cli.arguments import command_again
from nnrun.cli.output import Output
from nnrun.cli.signals import Interruption
from nnrun.errors import NnrunError
from nnrun.reports.leaderboard_files import leaderboard_files
from nnrun.reports.numbers import count, plural
from nnrun.reports.terminal.search import search_tables
from nnrun.reports.trials import trial_counts
from nnrun.runs.storage.store import Store
from nnrun.search.search import Search
from nnrun.search.state import SearchState, best_trials
from nnrun.sweeps.board.best import FILE


def conclude(
    search: Search, store: Store, output: Output, interruption: Interruption, again: str
) -> None:
    """Show the results, and exit with their code."""
    state = search.state
    content = state.to_dict()
    output.data(content)
    if state.trials:
        output.show(search_tables(content, state, store.root))
    if state.final is not None and state.board is not None:
        output.notes(_left_out(*state.final, state))
    written = [store.root / state.plan.name / FILE]
    if state.board is not None:
        files = leaderboard_files(state.board)
        store.write(files)
        written += [store.root / name for name in files]
    output.note(f"wrote {', '.join(map(str, written))}")
    if state.ended and state.winner is None:
        raise NnrunError("no run of the final comparison has completed, so nothing is chosen")
    if state.ended:
        return
    stage = "final comparison" if state.board is None else "test of the winner"
    if interruption.stop():
        message = f"interrupted in the {stage}"
        if state.final is None:
            message = f"interrupted: {trial_counts(search)} have ended"
        raise interruption.error(f"{message}\nto continue:\n  {again}")
    if state.plan.block.time is not None:
        short = f"there was no time for the {stage}"
        if state.best is None:
            short = "no trial has completed: there was no time for one"
        more = command_again(time=_longer(state))
        raise NnrunError(f"{short}; what was finished is saved; to continue:\n  {more}")
    raise NnrunError(f"runs are missing; to continue:\n  {again}")


def _left_out(top: int, seeds: int, state: SearchState) -> list[str]:
    """What of the final comparison there was no time for."""
    block = state.plan.block
    most = len(best_trials(state.trials, state.plan.goal, block.top))
    if block.time is None or (top >= most and seeds >= block.fresh_seeds):
        return []
    return [
        f"there was time to compare {count(min(top, most))} of the best {plural(most, 'setting')} "
        f"on {count(seeds)} of {plural(block.fresh_seeds, 'seed')}; more --time compares more"
    ]


def _longer(state: SearchState) -> str:
    """Twice the time; if it was too short for a trial, at least what four of them take."""
    seconds = 2 * (state.plan.block.time or 0.0)
    made = max((trial.share for trial in state.trials if trial.status == "stopped"), default=0.0)
    if state.best is None and made:
        seconds = max(seconds, 4 * state.seconds / made)
    return f"{ceil(seconds)}s" if seconds <= 120 else f"{ceil(seconds / 60)}m"
