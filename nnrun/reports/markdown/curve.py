"""The learning curve as sparklines and as a short table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnrun.reports.markup import table
from nnrun.reports.numbers import count, number, sparkline, thinned

Row = dict[str, float | int]

_MOST_ROWS = 10


def curve_section(history: Sequence[Row], splits: Sequence[str], metric: str) -> Iterator[str]:
    """Loss and main metric over the iterations; nothing for a run without evaluations."""
    if not history:
        return
    yield "## Learning curve"
    keys = [f"{split}_{what}" for split in splits for what in ("loss", metric)]
    keys = [key for key in keys if key in history[0]]
    names = [key.replace("_", " ", 1) for key in keys]
    if len(history) > 1:
        curves = [[row[key] for row in history] for key in keys]
        rows = [
            [name, sparkline(values), number(values[0]), number(values[-1])]
            for name, values in zip(names, curves, strict=True)
        ]
        yield table(["", "curve", "first", "last"], rows, texts=2)
    header = ["iteration", "epoch", *names]
    rows = [
        [count(int(row["iteration"])), f"{row['epoch']:.1f}", *[number(row[key]) for key in keys]]
        for row in thinned(history, _MOST_ROWS)
    ]
    yield table(header, rows, texts=0)
    yield "Every evaluation is in `history.csv`."
