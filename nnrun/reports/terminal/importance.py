"""Which columns or pixels count, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.console import RenderableType, group
from rich.text import Text

from nnrun.characters import clean
from nnrun.nn.signature import Array
from nnrun.reports.document import AT_ONCE
from nnrun.reports.importance import Importance, PixelMap, importance_blocks
from nnrun.reports.numbers import number, plural
from nnrun.reports.terminal.fitting import blocks

_SHADES = " ░▒▓█"


@group()
def importance_table(found: Importance) -> Iterator[RenderableType]:
    """A row for each column, the most important first; for images the maps of occlusion."""
    yield Text.assemble((clean(found.name), "bold"), "  ", (found.run_id, "dim"))
    yield from blocks([one for one in importance_blocks(found) if one.level == AT_ONCE])
    if found.pixels:
        yield Text()
        for one in found.pixels:
            yield from _map(one)
        yield Text()
        yield Text(
            "Where a patch has the mean pixels of these images, the probability of the class is "
            "lower by so much; nnrun report --importance draws this, and the gradients.",
            "dim",
        )


def _map(one: PixelMap) -> Iterator[Text]:
    largest = float(np.abs(one.occlusion).max())
    most, rows = number(float(one.occlusion.max())), plural(one.rows, "row")
    yield Text(f"{clean(one.name)}: the darkest pixels lose {most} ({rows})")
    yield Text("\n".join(_line(row, largest) for row in one.occlusion))


def _line(row: Array, largest: float) -> str:
    shares = np.clip(row / (largest or 1.0), 0, 1)
    return "".join(2 * _SHADES[round(float(share) * (len(_SHADES) - 1))] for share in shares)
