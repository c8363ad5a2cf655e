"""Weights, outputs of layers, and the decision surface of a network with two features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nnrun.characters import shortened
from nnrun.errors import NnrunError
from nnrun.explain.surfaces import extent_of, grid_rows
from nnrun.models.model import Model, input_names
from nnrun.nn.signature import Array
from nnrun.reports.charts.chart import BLUES, RED_BLUE, Chart
from nnrun.reports.charts.lines import Heat, colour_scale, heatmap
from nnrun.reports.charts.pictures import block_means, mosaic, signed_picture
from nnrun.reports.charts.scatter import histogram
from nnrun.reports.charts.surface import Point, decision_surface
from nnrun.reports.document import Block, Cell, Figures, Folded, Gallery, Grid, Note
from nnrun.reports.html.predictions import are_images, image_of, place_of
from nnrun.reports.numbers import count, last_digit, number, plural, rounded, shape
from nnrun.reports.predictions import Histogram, Predictions, layer_outputs
from nnrun.reports.summary import layer_kind, layers_by_name, split_title
from nnrun.runs.record import RunRecord

_MOST_PICTURES = 48
_MOST_CONVOLUTIONS, _MOST_CHANNELS = 2, 4
_MOST_FEATURES, _MOST_UNITS, _MOST_CELLS = 512, 32, 5000
_MANY = 24
_TALL = 60  # maps of more features are closed until a reader opens them
_MOST_POINTS = 300
_SIDE = 60


def weight_blocks(record: RunRecord, model: Model) -> Iterator[Block]:
    """First convolutions as filters or first weights as cells, and how all weights are spread."""
    parameters = {name: p.value for name, p in model.network.parameters.items()}
    convolutions = [name for name, w in parameters.items() if w.ndim == 4][:_MOST_CONVOLUTIONS]
    first = next(
        (name for name, w in parameters.items() if w.ndim > 1 and "embedding" not in name), None
    )
    charts: list[Chart] = []
    notes: list[Block] = []
    if first is not None and first not in convolutions:
        shape = model.layout.shape
        if len(shape) == 3 and parameters[first].shape[0] == np.prod(shape):
            images = parameters[first].T.reshape(-1, *shape)
            yield _closed(_gallery(first, images, "unit"))
        else:
            chart, notes = _features(first, parameters[first], model)
            if len(chart.table.rows) > _TALL:
                yield Folded(chart.title, [Figures([chart]), *notes])
                notes = []
            else:
                charts.append(chart)
    for name in convolutions:
        yield _closed(_gallery(name, parameters[name], "filter"))
    weights = {name: w for name, w in parameters.items() if name.endswith(".weight")}
    others = {name: w for name, w in parameters.items() if name not in weights}
    spread, alike = _spread(record, weights)
    yield Figures([*charts, *spread], columns=4)
    yield from [*notes, *alike]
    spread, alike = _spread(record, others)
    if spread or alike:
        yield Folded("Biases and other vectors", [Figures(spread, columns=4), *alike])


def _closed(gallery: Gallery) -> Block:
    """Many pictures are closed until a reader opens them."""
    return gallery if len(gallery.pictures) <= _MANY else Folded(gallery.title, [gallery])


def _spread(
    record: RunRecord, parameters: Mapping[str, Array]
) -> tuple[list[Chart], Sequence[Block]]:
    """How the values of each parameter are distributed; equal values in words."""
    charts, alike = [], []
    for name, values in parameters.items():
        title = f"{name} ({_kind(record, name)}), {plural(values.size, 'value')}"
        low, high = float(values.min()), float(values.max())
        if low == high:
            alike.append(Note(f"{title}: {'all ' if values.size > 1 else ''}{number(low)}."))
            continue
        bars = Histogram.of(values)
        kind = name.rpartition(".")[2]
        charts.append(histogram(title, bars.edges, bars.counts, kind, "values"))
    return charts, alike


def activity_blocks(record: RunRecord, predictions: Predictions) -> Iterator[Block]:
    """Outputs of the layers, and units whose output never changes."""
    rows = min(len(predictions.part), 500)
    header = ["layer", "kind", "units", "dead", "share dead"]
    table = [
        [
            Cell(str(layer.index), layer.index),
            Cell(_kind(record, str(layer.index))),
            Cell(count(layer.units), layer.units),
            Cell(count(layer.dead), layer.dead),
            Cell(
                f"{100 * layer.dead / max(1, layer.units):.0f}%", layer.dead / max(1, layer.units)
            ),
        ]
        for layer in predictions.activity
    ]
    yield Grid("Units by layer", header, table, texts=2)
    yield Note(
        f"A unit, or a channel of images, is dead if its output is the same for all of the first "
        f"{plural(rows, 'row')} of the {predictions.split} split."
    )
    charts = [
        histogram(
            f"Outputs of layer {layer.index} ({_kind(record, str(layer.index))})",
            layer.histogram.edges, layer.histogram.counts, "output", "outputs",
        )
        for layer in predictions.activity
    ]  # fmt: skip
    yield Folded("How the outputs of each layer are spread", [Figures(charts, columns=4)])


def surface_blocks(predictions: Predictions, model: Model) -> Iterator[Block]:
    """The decision surface around the training data, for two numeric features."""
    if predictions.dataset.shape != (2,) or not model.layout.is_drawn:
        return
    left, right, bottom, top = extent_of(predictions.train.x)
    grid = grid_rows((left, right, bottom, top), _SIDE)
    try:
        predicted = model.task.decode(model.outputs(grid)).reshape(_SIDE, _SIDE, -1)[:, :, 0]
    except NnrunError as error:
        yield Note(f"There is no decision surface: {error}", "warning")
        return
    classes = [shortened(name, 40) for name in predictions.dataset.classes]
    part = predictions.part
    rows = zip(part.rows, part.raw.between(0, _MOST_POINTS), part.y, strict=False)
    points = [
        Point(int(number), float(x), float(y), int(label) if classes else 0)
        for number, (x, y), label in rows
    ]
    names = [shortened(name, 40) for name in predictions.dataset.feature_names]
    pair = (names[0], names[1]) if len(names) == 2 else ("feature 0", "feature 1")
    title = f"Predictions, with rows of the {predictions.split} split"
    surface = predicted.astype(np.float64)
    extent = (left, right, bottom, top)
    chart = decision_surface(title, surface, extent, pair, points, classes)
    yield Figures([chart], chart.legend)


def _features(name: str, w: Array, model: Model) -> tuple[Chart, list[Block]]:
    names = [*input_names(model.layout.columns), *(name for name, _ in model.preprocessing.sources)]
    names = [shortened(name, 40) for name in names]
    if len(names) != w.shape[0]:
        names = [f"input {index}" for index in range(w.shape[0])]
    # All features, unless they are very many: then those with the largest weights.
    sizes = np.abs(np.nan_to_num(w)).max(axis=1)
    features = np.sort(np.argsort(-sizes, kind="stable")[:_MOST_FEATURES])
    shown = w[features, : min(_MOST_UNITS, _MOST_CELLS // len(features))]
    limit = max(float(sizes.max()), 1e-300)
    digit = last_digit(limit) + 1
    chart = heatmap(
        f"Weights of the first layer ({name})",
        f"From red, {number(-limit)}, through 0 to blue, {number(limit)}.",
        [[float(v) / limit for v in line] for line in shown],
        [names[feature] for feature in features],
        [str(unit) for unit in range(shown.shape[1])],
        row_label="feature",
        column_label="unit",
        heat=Heat(RED_BLUE, lambda share: rounded(share * limit, digit), (-1.0, 1.0)),
    )
    if shown.size == w.size:
        return chart, []
    most = f"{shown.shape[0]} of {plural(w.shape[0], 'feature')}"
    which = ", those with the largest weights," * (len(features) < len(names))
    units = f"{shown.shape[1]} of {plural(w.shape[1], 'unit')}"
    return chart, [Note(f"{most}{which} and {units} are shown.")]


def _panels(images: Array) -> Array:
    """The channels of each image (images, channels, height, width) side by side.

    Of more than four, the mean over the channels.
    """
    channels, height = images.shape[1:3]
    if channels > _MOST_CHANNELS:
        mean: Array = images.mean(axis=1)
        return mean
    gap = np.full((len(images), height, 1), np.nan)
    parts = [part for channel in range(channels) for part in (gap, images[:, channel])]
    return np.concatenate(parts[1:], axis=2)


def _gallery(name: str, images: Array, noun: str) -> Gallery:
    largest = float(np.abs(images).max())
    pictures = [
        (signed_picture(image, f"weights of {noun} {index}", largest), f"{noun} {index}")
        for index, image in enumerate(_panels(images)[:_MOST_PICTURES])
    ]
    note = "Red is negative, blue positive."
    if len(pictures) < len(images):
        note += f" The first {len(pictures)} of {plural(len(images), noun)} are shown."
    scale = colour_scale(RED_BLUE, -largest, largest, number)
    return Gallery(f"Weights of layer {name.partition('.')[0]} ({name})", pictures, note, scale)


def _kind(record: RunRecord, name: str) -> str:
    layers = layers_by_name(record.network)
    if name in layers:
        return layer_kind(layers[name])
    layer, _, parameter = name.rpartition(".")
    return f"{parameter} of {layer_kind(layers[layer])}"


_MOST_ROWS = 10
_MOST_TRACED = 48
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
        drawn = _outputs(f"{title[0].upper()}{title[1:]}, row by row", after, names, last)
        if isinstance(drawn, Chart):
            charts.append(drawn)
            continue
        if charts:
            yield Figures(charts)
            charts = []
        yield drawn
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
        (mosaic(of_row[:shown], colours, limit, f"{title}, {name}"), name)
        for of_row, name in zip(maps, names, strict=True)
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
    if len(units) > _MOST_TRACED:
        spread = np.nan_to_num(np.ptp(values, axis=0))
        units = np.sort(np.argsort(-spread, kind="stable")[:_MOST_TRACED])
        title = f"{title}: the {_MOST_TRACED} of {count(values.shape[1])} that differ most"
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
