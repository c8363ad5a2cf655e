"""The rows of a leaderboard while its sweep is running."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, sqrt

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from nnrun.characters import clean
from nnrun.config.names import SPLITS
from nnrun.config.settings import choice_words, telling_first
from nnrun.reports.numbers import MISSING, count, measured, number
from nnrun.reports.summary import metric_label
from nnrun.sweeps.board.comparison.comparable import Comparable
from nnrun.sweeps.board.comparison.statistics import half_interval
from nnrun.sweeps.progress import RunScore

_GAP = 2


@dataclass
class _Row:
    """Running mean and variance of a config (Welford, Technometrics 4, 1962)."""

    variant: Comparable
    overlap: float = 0.0
    ended: int = 0
    diverged: int = 0
    known: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, score: RunScore, column: int) -> None:
        self.ended += 1
        self.diverged += score.status == "diverged"
        value = score.metrics[column]
        if value is not None and score.status == "completed":
            self.known += 1
            step = value - self.mean
            self.mean += step / self.known
            self.squares += step * (value - self.mean)

    @property
    def cost(self) -> tuple[bool, float]:
        """The sort key, best first, as on the leaderboard."""
        sign = -1 if self.variant.larger_is_better else 1
        return not self.known, sign * self.mean if self.known else inf

    @property
    def result(self) -> str:
        """The mean ± half of its 95% interval."""
        if self.known < 2:
            return number(self.mean) if self.known else MISSING
        sd = sqrt(self.squares / (self.known - 1))
        return measured(self.mean, half_interval(sd, self.known, self.overlap))

    @property
    def runs(self) -> str:
        """The numbers of ended, planned and diverged runs."""
        of = f"{count(self.ended)}/{count(self.variant.planned)}"
        return f"{of}, {count(self.diverged)} diverged" if self.diverged else of


class FormingRows:
    """Means over the seeds so far, by data set, best first."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], dict[int, _Row]] = {}

    def add(self, variant: Comparable, score: RunScore) -> None:
        """Add a run that has ended."""
        split = next(split for split in ("validation", "test", "train") if split in variant.splits)
        rows = self._groups.setdefault(
            (variant.dataset, f"{split} {metric_label(variant.metric)}"), {}
        )
        row = rows.setdefault(variant.number, _Row(variant, variant.overlap.get(split, 0.0)))
        row.add(score, SPLITS.index(split))

    def __len__(self) -> int:
        """How many lines there are."""
        return sum(1 + len(rows) for rows in self._groups.values())

    def table(self, most: int, width: int) -> RenderableType:
        """At most `most` lines of this width; the last line counts the rows left out."""
        lines = list(self._lines())
        shown = lines if len(lines) <= most else lines[: max(0, most - 1)]
        table = columns_of(shown, width)
        if len(shown) < len(lines) and most > 0:
            table.add_row(Text(f"… {count(len(lines) - len(shown))} more", "dim"))
        return table

    def _lines(self) -> Iterator[tuple[str, str, str]]:
        for (dataset, metric), rows in self._groups.items():
            yield clean(dataset), metric, ""
            keys = telling_first([row.variant.choice for row in rows.values()])
            for row in sorted(rows.values(), key=lambda row: row.cost):
                choice = row.variant.choice
                words = choice_words({key: choice[key] for key in keys if key in choice})
                yield clean(" ".join([row.variant.name, *words])), row.result, row.runs


def columns_of(lines: Sequence[Sequence[str]], width: int) -> Table:
    """Texts in columns, one line for each row; the first column is cut to the remaining width."""
    table = Table.grid(padding=(0, _GAP, 0, 0))
    rest = [max(map(cell_len, column)) for column in list(zip(*lines, strict=True))[1:]]
    left = max(1, width - sum(wide + _GAP for wide in rest) - _GAP)
    for first, *others in lines:
        name = Text(first, "" if others[-1] else "bold")
        name.truncate(left, overflow="ellipsis")
        table.add_row(name, *(Text(other, no_wrap=True) for other in others))
    return table
