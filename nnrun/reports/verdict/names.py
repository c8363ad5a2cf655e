"""Rows of a board by what tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnrun.config.settings import choice_words
from nnrun.reports.charts.svg import shortened
from nnrun.reports.numbers import first_of
from nnrun.sweeps.board.rows import Row

_LONGEST = 80
_MOST = 3
_NAME = "name"  # beside dotted keys of settings


class Names:
    """Short names of rows, without what all of them share."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._shared = _shared(rows) if len(rows) > 1 else {}

    def of(self, row: Row) -> str:
        """`learning_rate=0.1`; with the name of its experiment where there are several."""
        own = {key: v for key, v in _settings(row).items() if key not in self._shared}
        return _words(own) or shortened(row.name, _LONGEST)

    def listed(self, rows: Sequence[Row], most: int = _MOST) -> str:
        """`A, B and 2 more`."""
        more = [""] * (len(rows) - most)
        return first_of([*map(self.of, rows[:most]), *more], most)

    def common(self, rows: Sequence[Row]) -> str:
        """What these rows have in common and not all rows have; else their names.

        Empty if they are all rows.
        """
        if len(rows) == len(self._rows):
            return ""
        shared = {key: v for key, v in _shared(rows).items() if key not in self._shared}
        return _words(shared) or self.listed(rows, 2)


def _settings(row: Row) -> dict[str, Any]:
    return {_NAME: row.name, **row.choice}


def _shared(rows: Sequence[Row]) -> dict[str, Any]:
    """The settings that all of these have."""
    found = _settings(rows[0])
    for row in rows:
        if not found:
            break
        other = _settings(row)
        found = {key: v for key, v in found.items() if key in other and other[key] == v}
    return found


def _words(settings: dict[str, Any]) -> str:
    choice = {key: value for key, value in settings.items() if key != _NAME}
    name = [settings[_NAME]] if _NAME in settings else []
    return shortened(" ".join([*name, *choice_words(choice)]), _LONGEST)
