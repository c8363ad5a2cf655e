"""Charts of a grid: the metric against each setting, pairs of settings, all settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.config.settings import choice_words, setting_words
from nnrun.reports.charts.kinds.heatmap import heatmap
from nnrun.reports.charts.kinds.parallel import Coordinate, parallel
from nnrun.reports.charts.kinds.scatter import by_setting
from nnrun.reports.charts.palette import CIVIDIS
from nnrun.reports.charts.svg import shortened
from nnrun.reports.html.blocks import Block, Figure, Figures, Note
from nnrun.reports.html.board import values_of
from nnrun.reports.numbers import number
from nnrun.sweeps.board.stored import Standing, StoredBoard

_MOST_KEYS = 8
_MOST_DOTS = 1000
_MOST_LINES = 300
_MOST_CELLS = 40


@dataclass(frozen=True)
class _Key:
    """A key of the grid with its values."""

    key: str
    name: str
    values: list[Any]

    @property
    def numeric(self) -> bool:
        return all(map(_is_number, self.values))

    @property
    def texts(self) -> list[str]:
        return [shortened(setting_words(self.key, value), 40) for value in self.values]

    def place(self, value: Any) -> float:
        """A number itself; of other values, the index."""
        return float(value) if self.numeric else float(self.values.index(value))


def grid_blocks(board: StoredBoard) -> Iterator[tuple[str, list[Block]]]:
    """For each experiment with a grid, its name and its charts."""
    names = dict.fromkeys(standing.variant.name for standing in board.standings)
    for name in names:
        members = [s for s in board.standings if s.variant.name == name and s.variant.choice]
        if len(members) > 1:
            yield name, list(_grid(board, members))


def _grid(board: StoredBoard, members: Sequence[Standing]) -> Iterator[Block]:
    keys = _keys(members)
    metric = f"{board.group.ordered_by} {board.group.metric}"
    shown = keys[:_MOST_KEYS]
    charts = [chart for key in shown if (chart := _against(key, board, members, metric))]
    if charts:
        yield Figures(charts)
    if len(shown) < len(keys):
        left = ", ".join(key.name for key in keys[_MOST_KEYS:][:_MOST_KEYS])
        yield Note(f"{len(keys) - len(shown)} more keys were varied: {left}.")
    if len(keys) == 2:
        yield from _pairs(keys[0], keys[1], board, members, metric)
    if len(keys) > 2:
        yield from _all(shown, board, members, metric)


def _keys(members: Sequence[Standing]) -> list[_Key]:
    choice = members[0].variant.choice
    names = [word.partition("=")[0] for word in choice_words(choice)]
    keys = []
    for key, name in zip(choice, names, strict=True):
        found: list[Any] = []
        for member in members:
            if (value := member.variant.choice.get(key)) not in found:
                found.append(value)
        # Numbers in order, then other values in their order of appearance.
        found.sort(key=lambda value: (0, value) if _is_number(value) else (1, 0))
        keys.append(_Key(key, shortened(name, 40), found))
    return keys


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _against(
    key: _Key, board: StoredBoard, members: Sequence[Standing], metric: str
) -> Figure | None:
    points = [
        (key.place(member.variant.choice.get(key.key)), value)
        for member in members
        for value in values_of(board, member)
    ][:_MOST_DOTS]
    if not points:
        return None
    x, y = zip(*points, strict=True)
    return Figure(
        by_setting(
            f"{metric} against {key.name}", x, y, x_label=key.name, y_label=metric,
            names=None if key.numeric else key.texts,
        )
    )  # fmt: skip


def _pairs(
    down: _Key, across: _Key, board: StoredBoard, members: Sequence[Standing], metric: str
) -> Iterator[Block]:
    if max(len(down.values), len(across.values)) > _MOST_CELLS:
        return
    means: dict[tuple[int, int], float] = {}
    for member in members:
        summary = member.row.summary(board.group.ordered_by)
        if summary is not None:
            choice = member.variant.choice
            place = (
                down.values.index(choice.get(down.key)),
                across.values.index(choice.get(across.key)),
            )
            means[place] = summary.mean
    if not means:
        return
    pick = max if board.group.larger_is_better else min
    best = pick(means, key=lambda place: means[place])
    yield Figure(
        heatmap(
            f"{metric} by {down.name} and {across.name}",
            f"The best mean, {number(means[best])}, is at {down.name} {down.texts[best[0]]} and "
            f"{across.name} {across.texts[best[1]]}.",
            [
                [means.get((row, column)) for column in range(len(across.values))]
                for row in range(len(down.values))
            ],
            down.texts,
            across.texts,
            row_label=down.name,
            column_label=across.name,
            colours=CIVIDIS,
            text=number,
        )
    )


def _all(
    keys: Sequence[_Key], board: StoredBoard, members: Sequence[Standing], metric: str
) -> Iterator[Block]:
    split = board.group.ordered_by
    known = [m for m in members if m.row.summary(split) is not None][:_MOST_LINES]
    if len(known) < 2:
        return
    axes = []
    for key in keys:
        found: list[Any] = [member.variant.choice.get(key.key) for member in known]
        values = [
            float(v) if key.numeric else shortened(setting_words(key.key, v), 40) for v in found
        ]
        axes.append(Coordinate(key.name, values))
    means = [summary.mean for m in known if (summary := m.row.summary(split)) is not None]
    pick = max if board.group.larger_is_better else min
    best = means.index(pick(means))
    chart = parallel(f"{metric} of every config", [*axes, Coordinate(metric, means)], best)
    yield Figure(chart)
