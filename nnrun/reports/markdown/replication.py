"""REPLICATION.md: published numbers compared with results over many seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import erfc, sqrt

from nnrun.reports.markup import code, escape, table
from nnrun.reports.numbers import MISSING, count, number
from nnrun.reports.summary import split_label
from nnrun.sweeps.board.published import LEVEL, Replication


def replication_markdown(rows: Sequence[Replication], command: str) -> str:
    """The table, its explanation, and the command that makes it."""
    return "\n\n".join(_blocks(rows, command)) + "\n"


def _blocks(rows: Sequence[Replication], command: str) -> Iterator[str]:
    yield "# Replication"
    yield (
        "What each experiment gives over many seeds, each with its own split, initial weights and "
        "sample order, beside the number that was published for it, if there is one. A number lies "
        "inside where it is within the range of our seeds."
    )
    referred = any(row.reference is not None for row in rows)
    if referred:
        yield (
            "The reference is the mean (standard deviation, number of runs) of the same procedure "
            "as others have repeated it; p is that of the difference of the two means (Welch's "
            "test), adjusted for all rows of the table (Holm). A row is marked where it is below "
            f"{LEVEL:g}: where nothing differs, and numbers are about normal, one table in "
            f"{1 / LEVEL:.0f} has a mark. Rows that share their splits lean the same way together."
        )
    header = ["experiment", "metric", "n", "mean", "sd", "min – max", "published", "inside"]
    header += ["reference", "p"] if referred else []
    yield table(header, [_cells(row, referred) for row in rows], texts=2)
    yield _verdict(rows)
    if referred:
        compared = [row for row in rows if row.p is not None]
        differing = sum(row.differs for row in compared)
        yield f"{differing} of {len(compared)} means differ from the reference."
        sources = dict.fromkeys(row.reference.source for row in rows if row.reference)
        yield f"Source of the reference: {'; '.join(map(escape, sources))}."
    lines = [f"- {line}" for row in rows for line in _explanation(row)]
    if lines:
        yield "## What is marked"
        yield "\n".join(lines)
    yield "Made by"
    yield code(command, "sh")


def _cells(row: Replication, referred: bool) -> list[str]:
    ours = row.ours
    n = 0 if ours is None else ours.n
    span = MISSING if ours is None else f"{number(ours.minimum)} – {number(ours.maximum)}"
    cells = [
        escape(row.label),
        escape(split_label(row.metric)),
        count(n) if n == row.runs else f"{count(n)} of {count(row.runs)}",
        number(None if ours is None else ours.mean),
        number(None if ours is None else ours.sd),
        span,
        MISSING if row.published is None else f"{row.published:g}",
        MISSING if row.inside is None else ("yes" if row.inside else "**no**"),
    ]
    if not referred:
        return cells
    known = row.reference
    reference = MISSING if known is None else f"{known.mean:g} ({known.sd:g}, {known.n})"
    p = MISSING if row.p is None else f"{row.p:.2g}"
    return [*cells, reference, f"**{p}**" if row.differs else p]


def _verdict(rows: Sequence[Replication]) -> str:
    held = [row for row in rows if row.inside is not None]
    if not held:
        return "None of these experiments has a published number."
    inside = sum(bool(row.inside) for row in held)
    return f"{inside} of {len(held)} published numbers lie inside."


def _explanation(row: Replication) -> Iterator[str]:
    ours, label = row.ours, f"{escape(row.label)}, {escape(split_label(row.metric))}"
    if ours is None:
        return
    if row.inside is False and row.published is not None:
        side = "above" if row.published > ours.maximum else "below"
        line = f"{label}: the published {row.published:g}, of a single run, is {side} all our seeds"
        if ours.sd:
            away = abs(row.published - ours.mean) / ours.sd
            line += f", {away:.1f} of their standard deviations from their mean"
        if row.reference is not None and row.reference.sd:
            away = abs(row.published - row.reference.mean) / row.reference.sd
            share = erfc(away / sqrt(2))
            line += (
                f"; by the spread of the reference (if normal) {100 * share:.2g}% of single runs "
                "lie as far from its mean"
            )
        yield f"{line}."
    if row.differs and row.reference is not None:
        difference = ours.mean - row.reference.mean
        yield (
            f"{label}: our mean is {number(abs(difference))} "
            f"{'above' if difference > 0 else 'below'} that of the reference."
        )
