"""Rows of a board, named by the settings in which they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from typing import Any

from nnrun.characters import clean, shortened
from nnrun.config.settings import (
    ASIDE,
    BESIDE,
    in_common,
    parts_apart,
    setting_words,
    told_apart,
)
from nnrun.reports.numbers import first_of
from nnrun.sweeps.board.rows import Group, Row

_LONGEST = 80
_MOST = 3
_NAME = "name"  # beside dotted keys of settings

Settings = dict[str, Any]


class Names:
    """Short names of rows, without what all of them share."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._all = [_settings(row) for row in rows]
        self._own = dict(zip(map(id, rows), told_apart(self._all), strict=True))
        self._keys = dict.fromkeys(key for settings in self._own.values() for key in settings)

    def whole(self, row: Row) -> str:
        """`first · optimizer adam(beta1=0.5)`: its experiment, and all settings that tell it apart.

        Without the experiment where all rows are of one.
        """
        settings = self._own[id(row)]
        settings = settings if settings and self.experiment else {_NAME: row.name} | settings
        return _words(settings, self._keys)

    def settings(self, row: Row) -> Settings:
        """Settings that tell the row from others."""
        return {key: value for key, value in self._own[id(row)].items() if key != _NAME}

    def of(self, row: Row, longest: int = _LONGEST) -> str:
        """`learning rate 0.1`; with the name of its experiment where there are several.

        Of long settings, those that no other row has together, cut to `longest` characters. A
        reference model is `boosting of scikit-learn`.
        """
        words = self._words(self._own[id(row)], [row], longest) or shortened(row.name, longest)
        model = row.choice.get(BESIDE)
        return words.replace(f"reference model: {model}", f"{model} of scikit-learn")

    def each(self, rows: Sequence[Row]) -> list[str]:
        """Names of several rows, all in parts of blocks where one would be too long otherwise."""
        is_long = any(len(_words(self._own[id(row)], self._keys)) > _LONGEST for row in rows)
        return [
            self._words(self._own[id(row)], [row], in_parts=is_long) or row.name for row in rows
        ]

    def listed(self, rows: Sequence[Row]) -> str:
        """`A, B and 2 more`: one at least, and no more than a line or so of names."""
        names = [*map(self.of, rows[:_MOST])]
        while len(names) > 1 and len(", ".join(names)) > _LONGEST:
            names.pop()
        return first_of(rows, len(names), self.of)

    def common(self, rows: Sequence[Row]) -> str:
        """What these rows have in common and not all rows have; else their names.

        Empty if they are all rows.
        """
        if len(rows) == len(self._rows):
            return ""
        alike = in_common([self._own[id(row)] for row in rows])
        return self._words(alike, rows) or first_of(rows, 2, self.of)

    @cached_property
    def experiment(self) -> str:
        """The one that all rows are of, where there are several rows; else empty."""
        names = {row.name for row in self._rows}
        return self._rows[0].name if len(names) == 1 < len(self._rows) else ""

    @cached_property
    def shared(self) -> str:
        """The settings that all rows have, where there are several."""
        shared = in_common(self._all) if len(self._rows) > 1 else {}
        return _words({key: value for key, value in shared.items() if key != _NAME})

    def _words(
        self, choice: Settings, rows: Sequence[Row], longest: int = _LONGEST, in_parts: bool = False
    ) -> str:
        """Settings of these rows; of long ones, some parts that no other row has together.

        What is cut even so may be the name of several rows, and has the place of one.
        """
        words = _words(choice, self._keys)
        if in_parts or len(words) > _LONGEST:
            ids = {id(row) for row in rows}
            alike = in_common([self._parts[at] for at in ids])
            others = [other for at, other in self._parts.items() if at not in ids]
            keys = dict.fromkeys(key for parts in self._parts.values() for key in parts)
            words = _words({key: alike[key] for key in _telling(alike, others)}, keys)
        place = rows[0].rank if len(rows) == 1 else None
        if len(words) <= longest or place is None or self._boards > 1:
            return shortened(words, longest)
        of = f" (row {place})"
        return shortened(words, longest - len(of)) + of

    @cached_property
    def _parts(self) -> dict[int, Settings]:
        """The parts of blocks that tell rows apart, by row."""
        settings = [self._own[id(row)] for row in self._rows]
        return dict(zip(map(id, self._rows), parts_apart(settings), strict=True))

    @cached_property
    def _boards(self) -> int:
        return sum(row.rank == 1 for row in self._rows)


def names_of(group: Group) -> Names:
    """Names of a group's rows; each part of a report asks for them, and they are made once."""
    names: Names | None = group.memo.get("names")
    if names is None:
        names = group.memo["names"] = Names(group.rows)
    return names


def told_by(titles: Sequence[str], *more: Sequence[str]) -> list[str]:
    """The titles, those that are the same with further words, as far as these tell them apart."""
    apart = [*titles]
    for words in more:
        several = Counter(title for title, _ in {*zip(apart, words, strict=True)})
        apart = [
            f"{title} ({word})" if several[title] > 1 else title
            for title, word in zip(apart, words, strict=True)
        ]
    return apart


def named_in(groups: Sequence[Group]) -> Callable[[Row], str]:
    """What names a row of these boards."""
    boards = {id(row): names_of(group) for group in groups for row in group.rows}
    return lambda row: boards[id(row)].of(row)


def _settings(row: Row) -> Settings:
    choice = sorted(row.choice.items(), key=lambda item: item[0] in ASIDE)
    return {_NAME: row.name, **dict(choice)}


def _telling(settings: Settings, others: Iterable[Settings]) -> list[str]:
    """The first keys that tell these settings from each of the others, as far as any do."""
    keys: list[str] = []
    left = [*others]
    for key, value in settings.items():
        alike = [other for other in left if key in other and other[key] == value]
        if len(alike) < len(left):
            keys.append(key)
        left = alike
    return keys or [*settings]


def _words(settings: Settings, keys: Collection[str] = ()) -> str:
    """`first · learning rate 0.1`, each key as short as it is among all."""
    choice = {key: value for key, value in settings.items() if key != _NAME}
    words = setting_words(choice, [key for key in keys if key != _NAME])
    return clean(" · ".join(filter(None, [settings.get(_NAME), words])))
