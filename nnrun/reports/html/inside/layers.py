"""The outputs of all layers for a few rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnrun.characters import shortened
from nnrun.models.model import Model
from nnrun.nn.signature import Array
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.heatmap import Heat, colour_scale, heatmap
from nnrun.reports.charts.pictures import block_means, mosaic
from nnrun.reports.charts.style import BLUES, RED_BLUE
from nnrun.reports.document import Block, Figures, Folded, Gallery, Note
from nnrun.reports.examine import Predictions, layer_outputs
from nnrun.reports.html.inside.rows import are_images, image_of, place_of
from nnrun.reports.numbers import count, last_digit, number, plural, rounded, shape
from nnrun.reports.split_words import split_title
from nnrun.reports.summary import layer_kind, layers_by_name
from nnrun.runs.record import RunRecord

_MOST_ROWS = 10
_MOST_UNITS = 48
_MOST_PIXELS = 6_000  # of the outputs of a layer for one row
_LONGEST = 40  # side of a map


def layer_blocks(record: RunRecord, model: Model, predictions: Predictions) -> Iterator[Block]:
    """The outputs of all layers for rows of the last split that are chosen by a fixed rule."""
    rows, rule = chosen_rows(record, predictions)
    yield Note(f"{rule}.")
    names = [_name(predictions, row) for row in rows]
    if are_images(predictions):
        pictures = [
            (image_of(predictions, row, "the row as it is"), name)
            for row, name in zip(rows, names, strict=True)
        ]
        yield Gallery("The rows", pictures)
    x = predictions.part.raw.take(rows).all()
    yield Folded("Outputs of every layer", [*traced_blocks(record, model, x, names)])


def traced_blocks(
    record: RunRecord, model: Model, x: Array, names: Sequence[str]
) -> Iterator[Block]:
    """The outputs of all layers for raw rows with these names; charts that follow are together."""
    kinds, layout = layers_by_name(record.network), model.layout
    steps = [step.copy() for step in layer_outputs(model, x)]
    titles = [f"layer {n} ({layer_kind(kinds[str(n)])})" for n in range(len(steps) - 1)]
    inputs = layout.columns.feature_names
    classes = layout.classes if len(layout.classes) == steps[-1][0].size else ()
    charts: list[Chart] = []
    same = []
    if inputs and len(inputs) == steps[0][0].size and len(layout.shape) == 1:
        charts.append(_map("Inputs, prepared", steps[0], names, inputs, "input"))
    for title, before, after in zip(titles, steps, steps[1:], strict=False):
        if before.size == after.size and np.array_equal(before.ravel(), after.ravel()):
            same.append(title)
            continue
        last = classes if after is steps[-1] else ()
        found = _outputs(f"{title[0].upper()}{title[1:]}, row by row", after, names, last)
        if isinstance(found, Chart):
            charts.append(found)
            continue
        if charts:
            yield Figures(charts)
            charts = []
        yield found
    if charts:
        yield Figures(charts)
    if same:
        yield Note(f"Not shown, since their outputs are their inputs: {', '.join(same)}.")


def chosen_rows(record: RunRecord, predictions: Predictions) -> tuple[Array, str]:
    """Places in the split, and by what rule: for classes the first row of each."""
    y, of = predictions.part.y, split_title(predictions.split)
    if record.task == "classification":
        there, first = np.unique(y, return_index=True)
        some = f"the first {_MOST_ROWS} classes" if len(there) > _MOST_ROWS else "each class"
        return first[:_MOST_ROWS], f"The first row of {some} in the {of}"
    order = np.argsort(y[:, 0], kind="stable")
    places = order[np.unique([0, len(order) // 2, len(order) - 1])]
    name = shortened((*predictions.dataset.target_names, "target")[0], 40)
    return places, f"The rows of the {of} with the smallest, the median and the largest {name}"


def _name(predictions: Predictions, row: int) -> str:
    """A row with its class or value."""
    true, classes = predictions.part.y[row], predictions.dataset.classes
    what = shortened(classes[true], 14) if classes else number(float(true[0]))
    return f"{place_of(predictions, row)}: {what}"


def _outputs(title: str, y: Array, names: Sequence[str], classes: Sequence[str]) -> Chart | Gallery:
    """The outputs of a layer: maps as pictures, single numbers as cells."""
    if y.ndim < 3 or y[0, 0].size == 1:
        label = "class" if classes else "unit"
        return _map(title, y.reshape(len(y), -1), names, classes, label)
    maps, block = block_means(y.reshape(*y.shape[:3], -1), _LONGEST)
    shown = max(1, _MOST_PIXELS // maps[0, 0].size)
    limit = _largest(maps)
    colours = RED_BLUE if (maps < 0).any() else BLUES
    pictures = [
        (mosaic(one[:shown], colours, limit, f"{title}, {name}"), name)
        for one, name in zip(maps, names, strict=True)
    ]
    some = f"the first {shown} of " if shown < y.shape[1] else ""
    note = f"For each row, {some}{plural(y.shape[1], 'map')} of {shape(y.shape[2:])}."
    if block > 1:
        note += f" A cell is the mean of {block}×{block} outputs."
    low = -limit if colours == RED_BLUE else 0.0
    return Gallery(title, pictures, note, colour_scale(colours, low, limit, number))


def _map(
    title: str, y: Array, names: Sequence[str], columns: Sequence[str], column_label: str
) -> Chart:
    """A row for each row of the data, a column for each unit."""
    values = y.astype(np.float64)
    units = np.arange(values.shape[1])
    if len(units) > _MOST_UNITS:
        spread = np.nan_to_num(np.ptp(values, axis=0))
        units = np.sort(np.argsort(-spread, kind="stable")[:_MOST_UNITS])
        title = f"{title}: the {_MOST_UNITS} of {count(values.shape[1])} that differ most"
    limit = _largest(values)
    signed = bool((values < 0).any())
    digit = last_digit(limit) + 1
    cells = [[float(v) if np.isfinite(v) else None for v in line[units]] for line in values]
    low, high = float(np.nan_to_num(values).min()), float(np.nan_to_num(values).max())
    return heatmap(
        title,
        f"{plural(len(names), 'row')} and {plural(len(units), 'number')} for each, from "
        f"{number(low)} to {number(high)}.",
        cells,
        names,
        [columns[unit] if columns else str(unit) for unit in units.tolist()],
        row_label="row",
        column_label=column_label,
        heat=Heat(
            RED_BLUE if signed else BLUES,
            lambda value: rounded(value, digit),
            (-limit if signed else 0.0, limit),
        ),
    )


def _largest(values: Array) -> float:
    """The largest size of a number that is finite; 1 if all of them are zero."""
    return float(np.abs(np.nan_to_num(values, posinf=0.0, neginf=0.0)).max(initial=0.0)) or 1.0
