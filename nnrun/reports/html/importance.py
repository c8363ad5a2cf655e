"""Which columns or pixels count: a table with the spread, partial dependence, pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnrun.characters import shortened
from nnrun.nn.signature import Array
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.heatmap import Heat, heatmap
from nnrun.reports.charts.kinds.lines import Series, lines
from nnrun.reports.charts.kinds.strip import strip, strip_scale
from nnrun.reports.charts.pictures import signed_picture
from nnrun.reports.charts.scales import Linear, Scale
from nnrun.reports.charts.style import BLUES
from nnrun.reports.document import Block, Cell, Figures, Gallery, Grid, Note
from nnrun.reports.importance.columns import Dependence
from nnrun.reports.importance.images import PixelMap
from nnrun.reports.importance.measure import ColumnImportance, Importance
from nnrun.reports.numbers import number, plural
from nnrun.reports.terminal.importance import heading, notes, remark, title, value_text

_MOST_LINES = 8
_GRADIENT = (
    "Where a brighter pixel raises the output for the class, it is blue; red where it lowers it."
)
_OCCLUSION = (
    "Where a patch of mean pixels takes from the probability of the class, it is blue; red where "
    "it adds."
)


def importance_blocks(found: Importance) -> Iterator[Block]:
    """The table of columns with the partial dependence on the first; or maps of pixels."""
    yield Note(f"{heading(found)}.")
    if found.pixels:
        gradients, occlusions = zip(
            *((one.gradient, one.occlusion) for one in found.pixels), strict=True
        )
        yield _gallery(found.pixels, gradients, "Mean gradient of the input", _GRADIENT)
        yield _gallery(found.pixels, occlusions, "Occlusion", _OCCLUSION)
        return
    yield _table(found)
    for note in notes(found):
        yield Note(note, "small")
    if found.dependence:
        yield Note(
            "Partial dependence: the mean prediction for the same rows, where all of them have one "
            "value in this column."
        )
        names = found.dependence[0].outputs[:_MOST_LINES]
        legend = [(i, shortened(name, 40)) for i, name in enumerate(names)]
        yield Figures([_chart(one) for one in found.dependence], legend if len(names) > 1 else ())


def _table(found: Importance) -> Grid:
    values = (value for one in found.columns for value in (*one.values, one.low, one.high))
    scale, each = Linear.over([0.0, *values]), f"each {'seed' if found.several else 'shuffle'}"
    return Grid(
        "Importance of the columns",
        ["column", title(found), each, ""],
        [_row(one, scale) for one in found.columns],
        sortable=len(found.columns) > 3,
        marks={each: strip_scale(scale)},
    )


def _row(one: ColumnImportance, scale: Scale) -> list[Cell]:
    drawing = strip(one.values, scale, one.low, one.high, one.mean)
    text = f"{number(min(one.values))} – {number(max(one.values))}"
    return [
        Cell(shortened(one.column, 60)),
        Cell(value_text(one), one.mean),
        Cell(text, one.mean, drawing),
        Cell(remark(one), kind="soft"),
    ]


def _chart(one: Dependence) -> Chart:
    name, outputs = shortened(one.column, 40), one.outputs[:_MOST_LINES]
    what = "prediction" if len(one.outputs) == 1 else "probability"
    of = [shortened(output, 40) for output in outputs]
    columns = [[means[index] for means in one.means] for index in range(len(outputs))]
    numbers = [value for value in one.values if isinstance(value, float)]
    if len(numbers) == len(one.values):
        series = [Series(of[i], numbers, line, index=i) for i, line in enumerate(columns)]
        return lines(f"Partial dependence on {name}", series, x_label=name, y_label=f"mean {what}")
    return heatmap(
        f"Partial dependence on {name}",
        f"The mean {what} for each category of {name}.",
        columns,
        of,
        [shortened(str(value), 40) for value in one.values],
        row_label="",
        column_label=name,
        heat=Heat(BLUES, number),
    )


def _gallery(maps: Sequence[PixelMap], images: Sequence[Array], name: str, note: str) -> Gallery:
    largest = max(float(np.abs(image).max()) for image in images)
    pictures = [
        (
            signed_picture(image, f"{name}, {shortened(one.name, 40)}", largest),
            f"{shortened(one.name, 40)}, {plural(one.rows, 'row')}",
        )
        for one, image in zip(maps, images, strict=True)
    ]
    return Gallery(name, pictures, f"{note} The strongest colours are ±{number(largest)}.")
