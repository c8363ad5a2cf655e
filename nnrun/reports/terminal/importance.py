"""Which columns or pixels count, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.console import RenderableType, group
from rich.text import Text

from nnrun.characters import clean
from nnrun.metrics.table import larger_is_better
from nnrun.nn.signature import Array
from nnrun.reports.importance.columns import MOST_ROWS
from nnrun.reports.importance.measure import ColumnImportance, Importance
from nnrun.reports.numbers import count, difference, number, plural
from nnrun.reports.summary import metric_label
from nnrun.reports.terminal.fitting import Column, FittedTable

UNTOLD = "cannot be told from 0"
_SHADES = " ░▒▓█"


@group()
def importance_table(found: Importance) -> Iterator[RenderableType]:
    """A row for each column, the most important first; for images the maps of occlusion."""
    yield Text.assemble((clean(found.name), "bold"), "  ", (found.run_id, "dim"))
    yield Text(heading(found))
    yield Text()
    if found.pixels:
        yield from _maps(found)
    else:
        rows = found.columns
        yield FittedTable(
            [
                Column("column", [clean(one.column) for one in rows], left=True, wraps=True),
                Column(title(found), [value_text(one) for one in rows]),
                Column("", [remark(one) for one in rows], need=1, left=True),
            ]
        )
    yield Text()
    for line in notes(found):
        yield Text(line, "dim")


def heading(found: Importance) -> str:
    """What was measured, and on which rows."""
    rows = plural(found.rows, f"{found.split} row")
    if found.pixels:
        some = "" if found.rows <= MOST_ROWS else f"the first {MOST_ROWS} of "
        return f"Which pixels count, on {some}{rows}"
    over = f"{count(len(found.seeds))} seeds of its setting" if found.several else "its shuffles"
    return (
        f"What {found.split} {metric_label(found.metric)} {_verb(found)} when one column is "
        f"shuffled, {found.repeats} times each, on {rows}; 95% intervals over {over}"
    )


def title(found: Importance) -> str:
    """Of the column of importances."""
    return f"{metric_label(found.metric)} {'lost' if _verb(found) == 'loses' else 'gained'}"


def _verb(found: Importance) -> str:
    return "loses" if larger_is_better(found.metric) else "gains"


def value_text(one: ColumnImportance) -> str:
    """The mean with its interval."""
    if one.low is None or one.high is None:
        return number(one.mean)
    return difference(one.mean, one.low, one.high, plus=False)


def remark(one: ColumnImportance) -> str:
    """What to know of a column that may not count, or that misleads the network."""
    if not one.counts:
        return UNTOLD
    return "" if one.mean > 0 else "better when shuffled"


def notes(found: Importance) -> Iterator[str]:
    """How to read it."""
    if found.pixels:
        yield (
            "Where a patch has the mean pixels of these images, the probability of the class is "
            "lower by so much; nnrun report --importance draws this, and the gradients."
        )
        return
    if not found.several:
        yield (
            "The intervals are of this run's shuffles alone; runs with other seeds, as by nnrun "
            "sweep --seeds 10, show how far networks differ."
        )
    yield (
        "Each interval is at 95% by itself: of 20 columns that say nothing, one may be told from "
        "0. Columns that say the same share what they lose, since shuffling one leaves the other."
    )


def _maps(found: Importance) -> Iterator[RenderableType]:
    for one in found.pixels:
        largest = float(np.abs(one.occlusion).max())
        yield Text(
            f"{clean(one.name)}: the darkest pixels lose {number(float(one.occlusion.max()))} "
            f"({plural(one.rows, 'row')})"
        )
        yield Text("\n".join(_line(row, largest) for row in one.occlusion))


def _line(row: Array, largest: float) -> str:
    shares = np.clip(row / (largest or 1.0), 0, 1)
    return "".join(2 * _SHADES[round(float(share) * (len(_SHADES) - 1))] for share in shares)
