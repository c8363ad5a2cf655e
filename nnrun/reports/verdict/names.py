"""Rows of a board by what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from nnrun.characters import clean
from nnrun.config.settings import choice_words
from nnrun.reports.charts.svg import shortened
from nnrun.reports.numbers import first_of
from nnrun.sweeps.board.rows import Row

_LONGEST = 80
_MOST = 3
_NAME = "name"  # beside dotted keys of settings

Settings = dict[str, Any]


class Names:
    """Short names of rows, without what all of them share."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._shared = _shared(rows) if len(rows) > 1 else {}
        self._ranks = Counter(row.rank for row in rows)  # some twice, of several boards

    def of(self, row: Row) -> str:
        """`learning_rate=0.1`; with the name of its experiment where there are several.

        Of long settings, those that no other row has together, and the row's rank.
        """
        own = self._own(_settings(row))
        words = self._words(own, [row]) or shortened(row.name, _LONGEST)
        is_whole = not own or words == _words(own, own)
        is_placed = row.rank is not None and self._ranks[row.rank] == 1
        return f"{words} (row {row.rank})" if is_placed and not is_whole else words

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
        return self._words(self._own(_shared(rows)), rows) or self.listed(rows, 2)

    def _own(self, settings: Settings) -> Settings:
        return {key: value for key, value in settings.items() if key not in self._shared}

    def _words(self, own: Settings, rows: Sequence[Row]) -> str:
        """Settings of these rows; of long ones, some that no other row has together."""
        words = _words(own, own)
        if len(words) > _LONGEST:
            ids = {id(row) for row in rows}
            others = [_settings(row) for row in self._rows if id(row) not in ids]
            words = _words(own, _telling(own, others))
        return shortened(words, _LONGEST)


def _settings(row: Row) -> Settings:
    return {_NAME: row.name, **row.choice}


def _shared(rows: Sequence[Row]) -> Settings:
    """The settings that all of these have."""
    found = _settings(rows[0])
    for row in rows:
        if not found:
            break
        other = _settings(row)
        found = {key: v for key, v in found.items() if key in other and other[key] == v}
    return found


def _telling(settings: Settings, others: Sequence[Settings]) -> list[str]:
    """The first keys that tell these settings from each of the others, as far as any do."""
    found: list[str] = []
    for key, value in settings.items():
        alike = [other for other in others if key in other and other[key] == value]
        if len(alike) < len(others):
            found.append(key)
        others = alike
    return found or [*settings]


def _words(settings: Settings, keys: Iterable[str]) -> str:
    """These keys, each as short as it is among all."""
    choice = {key: value for key, value in settings.items() if key != _NAME}
    words = dict(zip(choice, choice_words(choice), strict=True)) | {_NAME: settings.get(_NAME)}
    return clean(" ".join(str(words[key]) for key in keys))
