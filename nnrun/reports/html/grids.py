"""Charts of a grid: the metric against each setting, pairs of settings, all settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from nnrun.characters import shortened
from nnrun.config.canonical_json import canonical_json
from nnrun.config.setting_words import choice_words, value_words
from nnrun.config.settings import parts_apart, told_apart
from nnrun.metrics.table import bounds_of
from nnrun.reports.boards import values_of
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.heatmap import Heat, heatmap
from nnrun.reports.charts.kinds.parallel import Coordinate, parallel
from nnrun.reports.charts.kinds.settings import by_setting
from nnrun.reports.charts.style import CIVIDIS
from nnrun.reports.document import Block, Figures, Note
from nnrun.reports.numbers import count, number, plural, thinned, to_error
from nnrun.reports.summary import metric_label
from nnrun.sweeps.board.comparison.statistics import summarize
from nnrun.sweeps.board.from_store.stored import Standing, StoredBoard

_MOST_KEYS = 8
_MOST_DOTS = 1000
_MOST_LINES = 300
_MOST_CELLS = 40
_LONGEST = 80  # of the text of a value


@dataclass(frozen=True)
class _Key:
    """A key of the grid with its values."""

    key: str
    name: str
    values: list[Any]

    @cached_property
    def numeric(self) -> bool:
        return all(map(_is_number, self.values))

    @cached_property
    def texts(self) -> list[str]:
        """The values in words; parts of long ones that differ, as in names of rows."""
        texts = [value_words(self.key, value) for value in self.values]
        if any(len(text) > _LONGEST for text in texts):
            parts = parts_apart([{self.key: value} for value in self.values])
            texts = [" ".join(choice_words(each)) for each in parts]
        return [shortened(text, _LONGEST) for text in texts]

    def coordinate(self, value: Any) -> float | str:
        """A number as it is; another value as text."""
        return float(value) if self.numeric else self.texts[int(self.place(value))]

    def place(self, value: Any) -> float:
        """A number as it is; another value as its index."""
        return float(value) if self.numeric else self._indices[_text(value)]

    @cached_property
    def _indices(self) -> dict[str, float]:
        return {_text(value): float(index) for index, value in enumerate(self.values)}


class _Member(NamedTuple):
    """A row of the board, with what tells its config from others of the grid."""

    standing: Standing
    choice: dict[str, Any]


def grid_blocks(board: StoredBoard) -> Iterator[tuple[str, list[Block]]]:
    """For each experiment with a grid, its name and its charts."""
    names = dict.fromkeys(standing.variant.name for standing in board.standings)
    for name in names:
        own = [s for s in board.standings if s.variant.name == name and s.row.is_network]
        choices = told_apart([standing.variant.choice for standing in own])
        members = [_Member(*both) for both in zip(own, choices, strict=True) if both[1]]
        if len(members) > 1:
            yield name, list(_Grid(board, members).blocks())


class _Grid:
    """The configs of an experiment's grid."""

    def __init__(self, board: StoredBoard, members: Sequence[_Member]) -> None:
        self.board = board
        self.members = members
        self.split = board.group.ordered_by
        self.metric = f"{self.split} {metric_label(board.group.metric)}"
        self.pick = max if board.group.larger_is_better else min
        self._values = [values_of(board.group, member.standing.scores) for member in members]
        self._runs = [value for values in self._values for value in values]
        self._lines = thinned(members, _MOST_LINES)

    def blocks(self) -> Iterator[Block]:
        """Charts of each key, and of all keys together."""
        keys = _keys(self.members)
        shown = keys[:_MOST_KEYS]
        charts = [chart for key in shown if (chart := self._against(key))]
        if len(keys) == 2 and (pair := self._pair(*keys)):
            charts.append(pair)
        if charts:
            yield Figures(charts)
            yield from self._left_out()
        if len(shown) < len(keys):
            left = ", ".join(key.name for key in keys[_MOST_KEYS:][:_MOST_KEYS])
            yield Note(f"{len(keys) - len(shown)} more keys were varied: {left}.")
        if len(keys) == 2 and max(len(key.values) for key in keys) > _MOST_CELLS:
            yield Note(f"A map of all pairs is drawn of up to {_MOST_CELLS} values of each key.")
        if len(keys) > 2 and (parallels := self._all(shown)):
            yield Figures([parallels])
            if len(self._lines) < len(self.members):
                some, every = plural(len(self._lines), "config"), count(len(self.members))
                text = f"{some} of {every} are drawn and listed, evenly spread over the ranks."
                yield Note(text, "warning")

    def _left_out(self) -> Iterator[Block]:
        if len(self._runs) > _MOST_DOTS:
            some, every = plural(_MOST_DOTS, "run"), count(len(self._runs))
            text = f"{some} of {every} are drawn as dots, evenly spread over the ranks"
            yield Note(f"{text}; means and tables are of all runs.", "warning")

    def _against(self, key: _Key) -> Chart | None:
        if not self._runs:
            return None
        x = [
            place
            for member, values in zip(self.members, self._values, strict=True)
            for place in [key.place(member.choice.get(key.key))] * len(values)
        ]
        title = f"{self.metric} against {key.name}"
        names = [] if key.numeric else key.texts
        return by_setting(
            title, x, self._runs, x_label=key.name, y_label=self.metric, most=_MOST_DOTS,
            names=names,
        )  # fmt: skip

    def _pair(self, down: _Key, across: _Key) -> Chart | None:
        if max(len(down.values), len(across.values)) > _MOST_CELLS:
            return None
        means: dict[tuple[int, int], float] = {}
        words: dict[tuple[int, int], str] = {}
        for member in self.members:
            if (summary := member.standing.row.summary(self.split)) is not None:
                row, column = (
                    key.values.index(member.choice.get(key.key)) for key in (down, across)
                )
                means[row, column] = summary.mean
                words[row, column] = self._mean(member.standing, summary.mean)
        if not means:
            return None
        best = self.pick(means, key=lambda place: means[place])
        return heatmap(
            f"{self.metric} by {down.name} and {across.name}",
            f"The best mean, {words[best]}, is at {down.name} {down.texts[best[0]]} and "
            f"{across.name} {across.texts[best[1]]}.",
            [
                [means.get((row, column)) for column in range(len(across.values))]
                for row in range(len(down.values))
            ],
            down.texts,
            across.texts,
            row_label=down.name,
            column_label=across.name,
            heat=Heat(CIVIDIS, number, written=words),
        )

    def _mean(self, standing: Standing, mean: float) -> str:
        """In the digits of its interval, as the board has it."""
        values = values_of(self.board.group, standing.scores)
        overlap = standing.variant.overlap.get(self.split, 0.0)
        found = summarize(values, overlap, bounds_of(self.board.group.metric))
        return to_error(mean, None if found is None else found.half)

    def _all(self, keys: Sequence[_Key]) -> Chart | None:
        """A line for each config, through its values to its mean."""
        found = [(m, m.standing.row.summary(self.split)) for m in self._lines]
        known = [(m, summary.mean) for m, summary in found if summary]
        if len(known) < 2:
            return None
        axes = [
            Coordinate(key.name, [key.coordinate(m.choice.get(key.key)) for m, _ in known])
            for key in keys
        ]
        means = [mean for _, mean in known]
        texts = [self._mean(m.standing, mean) for m, mean in known]
        axes.append(Coordinate(self.metric, means, texts))
        return parallel(f"{self.metric} of every config", axes, means.index(self.pick(means)))


def _keys(members: Sequence[_Member]) -> list[_Key]:
    choice = {key: v for member in members for key, v in member.choice.items()}
    names = [word.partition("=")[0] for word in choice_words(choice)]
    keys = []
    for key, name in zip(choice, names, strict=True):
        values = (member.choice.get(key) for member in members)
        found = list({_text(value): value for value in values}.values())
        # Numbers in order, then other values in their order of appearance.
        found.sort(key=lambda value: (0, value) if _is_number(value) else (1, 0))
        keys.append(_Key(key, shortened(name, 40), found))
    return keys


def _text(value: Any) -> str:
    """The same for equal values; lists and mappings are no keys."""
    return canonical_json(value) if isinstance(value, list | dict) else repr(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
