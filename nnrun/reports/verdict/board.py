"""The verdict on a board: what its own comparison says, in words, and no statistics besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nnrun.reports.charts.svg import shortened
from nnrun.reports.numbers import count, plural
from nnrun.reports.verdict.group import NOTHING, UNDECIDED, GroupVerdict, group_verdict
from nnrun.reports.verdict.lines import Line, Verdict
from nnrun.reports.verdict.problems import problems
from nnrun.sweeps.board.rows import Group, Leaderboard

_MOST_GROUPS = 3
_TO_COME = ("running", "queued", "missing")


def board_verdict(board: Leaderboard) -> Verdict:
    """Of a leaderboard; that of a shard says how many runs are missing."""
    missing = 0 if board.unfinished is None else board.unfinished.missing
    return groups_verdict(board.groups, {"missing": missing})


def groups_verdict(groups: Sequence[Group], also: Mapping[str, int] | None = None) -> Verdict:
    """Of the groups of a board.

    Args:
        groups: each has rows that can be compared.
        also: the number of runs that are on no row, by status.
    """
    unlisted = Counter({status: number for status, number in (also or {}).items() if number})
    to_come = {status: unlisted.pop(status) for status in _TO_COME if status in unlisted}
    found = [group_verdict(group) for group in groups]
    wrong = problems(groups, [one.row for one in found], unlisted)
    return Verdict(_best(groups, found, bool(to_come)), _others(groups, found, to_come), wrong)


def _best(groups: Sequence[Group], found: Sequence[GroupVerdict], waits: bool) -> Line:
    if all(one.lead == NOTHING for one in found):
        return Line(NOTHING, f"no run has completed{' yet' * waits}")
    so_far = " so far" * waits
    if len(found) == 1:
        return Line(found[0].lead + so_far, found[0].best)
    texts = [
        f"{_data(group)}: {'undecided, ' * (one.lead == UNDECIDED)}{_short(group, one)}"
        for group, one in zip(groups, found, strict=True)
    ]
    return Line(f"{plural(len(groups), 'board')}{so_far}", _several(texts))


def _others(
    groups: Sequence[Group], found: Sequence[GroupVerdict], to_come: Mapping[str, int]
) -> Line | None:
    texts = [
        f"{f'{_data(group)}: ' * (len(groups) > 1)}{one.others}"
        for group, one in zip(groups, found, strict=True)
        if one.others
    ]
    alike = {one.others for one in found}
    if len(groups) > 1 and len(alike) == 1:
        texts = [*alike - {""}]
    if to_come:
        runs = " and ".join(f"{count(number)} {status}" for status, number in to_come.items())
        texts = ["; ".join([*([_several(texts)] if texts else []), f"still to come: {runs}"])]
    return Line("Others", _several(texts)) if texts else None


def _several(texts: Sequence[str]) -> str:
    left = len(texts) - _MOST_GROUPS
    return ". ".join([*texts[:_MOST_GROUPS], *([f"And {count(left)} more"] if left > 0 else [])])


def _short(group: Group, one: GroupVerdict) -> str:
    """Without the name of the experiment where that is the data's."""
    return one.best.removeprefix(f"{_data(group)}, ")


def _data(group: Group) -> str:
    of = "" if group.target is None else f" {group.target}"
    return shortened(f"{group.dataset}{of}", 40)


def board_data(board: Leaderboard) -> dict[str, Any]:
    """A leaderboard as JSON data, with its verdict."""
    return {**board.to_dict(), "verdict": board_verdict(board).to_dict()}
