"""Which columns or pixels count, as blocks: a table with its spread, dependence, pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnrun.characters import shortened
from nnrun.metrics.table import larger_is_better
from nnrun.nn.signature import Array
from nnrun.reports.charts.axes import Linear
from nnrun.reports.charts.chart import BLUES, Chart
from nnrun.reports.charts.lines import Heat, Series, heatmap, lines
from nnrun.reports.charts.pictures import signed_picture
from nnrun.reports.charts.scatter import strip, strip_scale
from nnrun.reports.document import AT_ONCE, WHOLE, Block, Cell, Figures, Gallery, Grid, Note
from nnrun.reports.importance.columns import MOST_ROWS, Dependence
from nnrun.reports.importance.measure import ColumnImportance, Importance
from nnrun.reports.numbers import count, difference, number, plural
from nnrun.reports.summary import metric_label

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
    yield Note(f"{_heading(found)}.")
    if found.pixels:
        gradients = [one.gradient for one in found.pixels]
        yield _gallery(found, gradients, "Mean gradient of the input", _GRADIENT)
        occlusions = [one.occlusion for one in found.pixels]
        yield _gallery(found, occlusions, "Occlusion", _OCCLUSION)
        return
    yield _table(found)
    if not found.several:
        yield Note(
            "The intervals are of this run's shuffles alone; runs with other seeds, as by nnrun "
            "sweep --seeds 10, show how far networks differ.",
            "small",
        )
    yield Note(
        "Each interval is at 95% by itself: of 20 columns that say nothing, one may be told from "
        "0. Columns that say the same share what they lose, since shuffling one leaves the other.",
        "small",
    )
    if found.dependence:
        yield Note(
            "Partial dependence: the mean prediction for the same rows, where all of them have one "
            "value in this column.",
            level=WHOLE,
        )
        names = found.dependence[0].outputs[:_MOST_LINES]
        legend = [(i, shortened(name, 40)) for i, name in enumerate(names)]
        yield Figures([_chart(one) for one in found.dependence], legend if len(names) > 1 else ())


def _heading(found: Importance) -> str:
    """What was measured, and on which rows."""
    rows = plural(found.rows, f"{found.split} row")
    if found.pixels:
        some = "" if found.rows <= MOST_ROWS else f"the first {MOST_ROWS} of "
        return f"Which pixels count, on {some}{rows}"
    over = f"{count(len(found.seeds))} seeds of its setting" if found.several else "its shuffles"
    loses = "loses" if larger_is_better(found.metric) else "gains"
    return (
        f"What {found.split} {metric_label(found.metric)} {loses} when one column is "
        f"shuffled, {found.repeats} times each, on {rows}; 95% intervals over {over}"
    )


def _table(found: Importance) -> Grid:
    values = (value for one in found.columns for value in (*one.values, one.low, one.high))
    scale, each = Linear.over([0.0, *values]), f"each {'seed' if found.several else 'shuffle'}"
    lost = "lost" if larger_is_better(found.metric) else "gained"
    rows = [
        [
            Cell(shortened(one.column, 60)),
            Cell(_value_text(one), one.mean),
            Cell(
                f"{number(min(one.values))} – {number(max(one.values))}",
                one.mean,
                strip(one.values, scale, one.low, one.high, one.mean),
            ),
            Cell(_remark(one), kind="soft"),
        ]
        for one in found.columns
    ]
    return Grid(
        "Importance of the columns", ["column", f"{metric_label(found.metric)} {lost}", each, ""],
        rows, sortable=len(rows) > 3, marks={each: strip_scale(scale)}, needs=[0, 0, 2, 1],
        narrow=[0, 1, 3], level=AT_ONCE,
    )  # fmt: skip


def _value_text(one: ColumnImportance) -> str:
    """The mean with its interval."""
    if one.low is None or one.high is None:
        return number(one.mean)
    return difference(one.mean, one.low, one.high, plus=False)


def _remark(one: ColumnImportance) -> str:
    """What to know of a column that may not count, or that misleads the network."""
    if not one.counts:
        return "cannot be told from 0"
    return "" if one.mean > 0 else "better when shuffled"


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


def _gallery(found: Importance, images: Sequence[Array], name: str, note: str) -> Gallery:
    largest = max(float(np.abs(image).max()) for image in images)
    pictures = [
        (
            signed_picture(image, f"{name}, {shortened(one.name, 40)}", largest),
            f"{shortened(one.name, 40)}, {plural(one.rows, 'row')}",
        )
        for one, image in zip(found.pixels, images, strict=True)
    ]
    return Gallery(name, pictures, f"{note} The strongest colours are ±{number(largest)}.")
