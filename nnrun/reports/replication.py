"""REPLICATION.md: published numbers beside what many seeds of the same procedure give."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.reports.leaderboard import spread
from nnrun.reports.markup import code, escape, table
from nnrun.reports.numbers import MISSING, number
from nnrun.sweeps.replication import Replication


def replication_markdown(rows: Sequence[Replication], command: str) -> str:
    """The table, and the command that makes it again."""
    header = ["experiment", "metric", "n", "ours: mean ± sd", "min – max", "published", "inside"]
    blocks = [
        "# Replication",
        "What each experiment gives over many seeds, each with its own split, initial weights and "
        "sample order, beside the number that was published for it, if there is one. A number lies "
        "inside where it is within the range of our seeds.",
        table(header, [_cells(row) for row in rows], texts=2),
        _verdict(rows),
        "Made by",
        code(command, "sh"),
    ]
    return "\n\n".join(blocks) + "\n"


def _cells(row: Replication) -> list[str]:
    ours = row.ours
    n = 0 if ours is None else ours.n
    span = MISSING if ours is None else f"{number(ours.minimum)} – {number(ours.maximum)}"
    return [
        escape(row.label),
        escape(row.metric.replace("_", " ", 1)),
        str(n) if n == row.runs else f"{n} of {row.runs}",
        spread(ours),
        span,
        MISSING if row.published is None else f"{row.published:g}",
        MISSING if row.inside is None else ("yes" if row.inside else "**no**"),
    ]


def _verdict(rows: Sequence[Replication]) -> str:
    held = [row for row in rows if row.inside is not None]
    if not held:
        return "None of these experiments has a published number."
    inside = sum(bool(row.inside) for row in held)
    return f"{inside} of {len(held)} published numbers lie inside."
