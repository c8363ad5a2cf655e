"""Columns of a table whose rows should not be split at random, by their names and values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nnrun.characters import escaped
from nnrun.config.yaml.dump import flow
from nnrun.data.readers.profile import ColumnProfile

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PEOPLE = {
    *("patient", "subject", "participant", "person", "respondent", "donor", "proband", "case"),
    *("user", "customer", "client", "member", "student", "pupil", "employee", "player"),
    *("household", "family", "speaker", "author", "animal"),
}
_KEYS = {"id", "ids", "no", "nr", "number", "code", "key", "name"}
_LEFT_OUT = ("are left out", "is left out")
_FEWEST_PEOPLE = 5
_FEWEST = 10


@dataclass(frozen=True)
class Proposal:
    """A way to split by a column.

    Args:
        by: `group` or `time`.
        column: that column.
        sure: whether the config splits so; else it says how in a comment.
        beside: whether it splits in another way, not at random.
    """

    by: str
    column: ColumnProfile
    sure: bool
    beside: bool = False

    def line(self) -> str:
        """The line of the config."""
        name = flow(self.column.name)
        why = (
            f"the rows of one {name} are in one split"
            if self.by == "group"
            else "trained on what comes first, tested on what comes last"
        )
        comment = "" if self.sure else "# "
        return f"  {comment}split: {{by: {self.by}, column: {name}}}\t{why}"

    def words(self) -> str:
        """The same for the terminal."""
        name = escaped(self.column.name, kept="")
        if self.sure and self.by == "time":
            return f"it splits by time, {name}, since its rows are in that order"
        if self.sure:
            words = f"it splits by group: the rows of one {name} are in one split"
            blank = self.column.missing
            return words + f"; {blank:,} without one {_LEFT_OUT[blank == 1]}" * (blank > 0)
        at_random = "" if self.beside else "it splits at random; "
        return f"{at_random}a comment says how to split by {self.by}, {name}"


def proposals(columns: list[ColumnProfile], target: ColumnProfile) -> Iterator[Proposal]:
    """The first column of groups, and of times unless the groups are sure.

    People (patients, customers) are sure: rows of one person resemble each other, and new rows are
    of other people. Times are where rows are in their order: new rows come later. Shops, or dates
    in no order, may be known when predictions are made: the file does not say.
    """
    others = [column for column in columns if column is not target]
    group = next((column for column in others if _has_groups(column)), None)
    sure = group is not None and _is_person(group.name)
    times = (c for c in others if c.kind == "date" and not c.missing and c.different >= _FEWEST)
    time = None if sure else next(times, None)
    ordered = time is not None and time.evidence.times.in_order
    if group is not None:
        yield Proposal("group", group, sure, beside=ordered)
    if time is not None:
        yield Proposal("time", time, ordered, beside=group is not None)


def _has_groups(column: ColumnProfile) -> bool:
    """Whether it seems to name what rows belong to: values that repeat, none in most rows."""
    person = _is_person(column.name)
    fewest = _FEWEST_PEOPLE if person else _FEWEST
    words = _words(column.name)
    named = person or (not column.missing and words and words[-1] in ("id", "group"))
    whole = column.numbers in (0, column.whole) or column.holds_codes
    known = column.rows - column.missing
    repeats = fewest <= len(column.labels) and column.different < known
    return bool(named and whole and repeats and 2 * max(column.labels.values()) <= known)


def _is_person(name: str) -> bool:
    """`patient`, `Patient ID`, `userId`, `customerid`."""
    words = _words(name)
    first = words[0].removesuffix("id").removesuffix("s") if words else ""
    return first in _PEOPLE and len(words) <= 2 and set(words[1:]) <= _KEYS


def is_identifier(name: str) -> bool:
    """`id`, `AirlineID`, `store_id`."""
    return _words(name)[-1:] in (["id"], ["ids"])


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]
