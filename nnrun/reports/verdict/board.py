"""The verdict on a board: what its own comparison says, in words, and no statistics besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from nnrun.config.names import SPLITS
from nnrun.reports.charts.svg import shortened
from nnrun.reports.document import Line, Verdict
from nnrun.reports.numbers import count, plural
from nnrun.reports.verdict.group import NO_RUN, NOTHING, group_verdict
from nnrun.reports.verdict.names import told_by
from nnrun.reports.verdict.problems import problems
from nnrun.sweeps.board.rows import Group, Leaderboard

_MOST_GROUPS = 6
_TO_COME = ("running", "queued", "missing")


def board_verdict(board: Leaderboard) -> Verdict:
    """Of a leaderboard; that of a shard says how many runs are missing."""
    missing = 0 if board.unfinished is None else board.unfinished.missing
    return groups_verdict(board.groups, {"missing": missing})


def groups_verdict(groups: Sequence[Group], also: Mapping[str, int] | None = None) -> Verdict:
    """Of the groups of a board: a line for each of the first, if there are several.

    Args:
        groups: each has rows that can be compared.
        also: the number of runs that are on no row, by status.
    """
    unlisted = Counter({status: number for status, number in (also or {}).items() if number})
    waits = {status: unlisted.pop(status) for status in _TO_COME if status in unlisted}
    found = [group_verdict(group, unfinished=bool(waits)) for group in groups]
    wrong = problems(groups, [one.row for one in found], unlisted)
    to_come = " and ".join(f"{count(number)} {status}" for status, number in waits.items())
    others = [f"still to come: {to_come}"] if waits else []
    if all(one.lead == NOTHING for one in found):
        text = "; ".join(dict.fromkeys(one.best for one in found)) or NO_RUN
        lines = [Line(NOTHING, text + " yet" * bool(waits))]
    elif len(found) == 1:
        lines = [Line(found[0].lead + " so far" * bool(waits), found[0].best)]
        others = [*filter(None, [found[0].others]), *others]
    else:
        pairs = zip(_leads(groups), found, strict=True)
        lines = [Line(lead, one.short) for lead, one in islice(pairs, _MOST_GROUPS)]
        if (left := len(groups) - _MOST_GROUPS) > 0:
            others = [plural(left, "more board"), *others]
    said = Line("Others", "; ".join(others)) if others else None
    return Verdict(lines[0], said, wrong, lines[1:])


def _leads(groups: Sequence[Group]) -> list[str]:
    """The data of each; where others have the same, with the experiment that its rows are of.

    And where these are the same, too, with the splits that there are.
    """
    data = [_data(group) for group in groups]
    named = [
        f"{group.rows[0].name} on {name}"
        if data.count(name) > 1 and len({row.name for row in group.rows}) == 1
        else name
        for group, name in zip(groups, data, strict=True)
    ]
    return told_by(
        named,
        [
            ", ".join(split for split in SPLITS if any(row.summary(split) for row in group.rows))
            for group in groups
        ],
    )


def _data(group: Group) -> str:
    of = "" if group.target is None else f" {group.target}"
    return shortened(f"{group.dataset}{of}", 40)


def board_data(board: Leaderboard) -> dict[str, Any]:
    """A leaderboard as JSON data, with its verdict."""
    return {**board.to_dict(), "verdict": board_verdict(board).to_dict()}
