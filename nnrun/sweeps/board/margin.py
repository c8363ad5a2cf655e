"""Rows that are as good as the best, where a small difference does not matter."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from nnrun.sweeps.board.rows import Group, Leaderboard, Row


def with_margin(board: Leaderboard, margin: float | None) -> Leaderboard:
    """The board with what is as good as the best; as it is where there is no margin."""
    if margin is None:
        return board
    return replace(board, groups=[within(group, margin) for group in board.groups])


def within(group: Group, margin: float | None) -> Group:
    """The group with its rows that are as good as the best, and the cheapest of these.

    A row is as good as the best where it is worse than the best of the others by less than the
    margin, at 95% for all rows at once. A row that has no other to compare with is none of these.

    Args:
        group: to look through.
        margin: in the units of its metric; None for none.
    """
    if margin is None:
        return group
    rows = [replace(row, as_good=_as_good(row, group, margin)) for row in group.rows]
    good = [row for row in rows if row.as_good]
    networks = [row for row in good if row.is_network]  # others have no parameters to count
    cheapest = min(networks, key=_cost, default=None)
    rank = None if cheapest is None else cheapest.rank
    return replace(group, rows=rows, margin=margin, cheapest=rank)


def _as_good(row: Row, group: Group, margin: float) -> bool:
    worst = row.difference_low if group.larger_is_better else row.difference_high
    if worst is None:
        return False
    return (-worst if group.larger_is_better else worst) <= margin


def _cost(row: Row) -> tuple[float, float]:
    """Parameters, then time."""
    return row.parameters, inf if row.seconds is None else row.seconds
