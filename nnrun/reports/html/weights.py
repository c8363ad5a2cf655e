"""Weights, outputs of layers, and the decision surface of a network with two features."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnrun.errors import NnrunError
from nnrun.models.embeddings import input_names
from nnrun.models.model import Model
from nnrun.nn.signature import Array
from nnrun.reports.charts.kinds.heatmap import Heat, heatmap
from nnrun.reports.charts.kinds.histogram import histogram
from nnrun.reports.charts.kinds.surface import decision_surface
from nnrun.reports.charts.palette import RED_BLUE
from nnrun.reports.charts.pictures import signed_picture
from nnrun.reports.charts.svg import shortened
from nnrun.reports.examine import Histogram, Predictions
from nnrun.reports.html.blocks import Block, Figures, Gallery, Note
from nnrun.reports.numbers import count, number, plural
from nnrun.reports.summary import layer_kind, layers_by_name
from nnrun.reports.tables import Cell, Grid
from nnrun.runs.record import RunRecord

_MOST_PICTURES = 48
_MOST_FEATURES, _MOST_UNITS = 30, 32
_MOST_POINTS = 300
_SIDE = 60


def weight_blocks(record: RunRecord, model: Model) -> Iterator[Block]:
    """First-layer weights as pictures, and how all weights are distributed."""
    parameters = {name: p.value for name, p in model.network.parameters.items()}
    first = next(
        (name for name, w in parameters.items() if w.ndim > 1 and "embedding" not in name), None
    )
    if first is not None:
        yield from _first_layer(first, parameters[first], model)
    figures, alike = [], []
    for name, values in parameters.items():
        title = f"{name} ({_kind(record, name)}), {plural(values.size, 'value')}"
        low, high = float(values.min()), float(values.max())
        if low == high:
            alike.append(f"{title}: {'all ' if values.size > 1 else ''}{number(low)}.")
            continue
        bars = Histogram.of(values)
        kind = name.rpartition(".")[2]
        figures.append(histogram(title, bars.edges, bars.counts, kind, "values"))
    yield Figures(figures, columns=4)
    yield from map(Note, alike)


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
    yield Figures(
        [
            histogram(
                f"Outputs of layer {layer.index} ({_kind(record, str(layer.index))})",
                layer.histogram.edges, layer.histogram.counts, "output", "outputs",
            )
            for layer in predictions.activity
        ],
        columns=4,
    )  # fmt: skip


def surface_blocks(predictions: Predictions, model: Model) -> Iterator[Block]:
    """The decision surface around the training data, for two numeric features."""
    if predictions.dataset.shape != (2,) or not model.layout.columns.plain:
        return
    x = predictions.train.x.astype(np.float64)
    low, high = x.min(axis=0), x.max(axis=0)
    room = np.where(high > low, (high - low) * 0.08, 1.0)
    left, bottom = (low - room).tolist()
    right, top = (high + room).tolist()
    across, up = np.linspace(left, right, _SIDE), np.linspace(bottom, top, _SIDE)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    try:
        predicted = model.task.decode(model.outputs(grid)).reshape(_SIDE, _SIDE, -1)[:, :, 0]
    except NnrunError as error:
        yield Note(f"There is no decision surface: {error}", "warning")
        return
    classes = [shortened(name, 40) for name in predictions.dataset.classes]
    part = predictions.part
    points = [
        (float(row[0]), float(row[1]), int(label) if classes else 0)
        for row, label in zip(
            part.raw.between(0, _MOST_POINTS), part.y[:_MOST_POINTS].reshape(-1), strict=False
        )
    ]
    names = [shortened(name, 40) for name in predictions.dataset.feature_names]
    pair = (names[0], names[1]) if len(names) == 2 else ("feature 0", "feature 1")
    title = f"Predictions, with rows of the {predictions.split} split"
    surface = predicted.astype(np.float64)
    extent = (left, right, bottom, top)
    yield Figures([decision_surface(title, surface, extent, pair, points, classes)])


def _first_layer(name: str, w: Array, model: Model) -> Iterator[Block]:
    largest, shape = float(np.abs(w).max()), model.layout.shape
    if w.ndim == 4:
        yield _gallery(name, w.mean(axis=1), largest, "filter")
        return
    if len(shape) == 3 and w.shape[0] == np.prod(shape):
        yield _gallery(name, w.T.reshape(-1, *shape).mean(axis=1), largest, "unit")
        return
    names = [shortened(name, 40) for name in input_names(model.layout.columns)]
    if len(names) != w.shape[0]:
        names = [f"input {index}" for index in range(w.shape[0])]
    shown = w[:_MOST_FEATURES, :_MOST_UNITS]
    limit = max(largest, 1e-300)
    cells = [[float(v) / limit for v in line] for line in shown]
    chart = heatmap(
        f"Weights of the first layer ({name})",
        f"From red, {number(-largest)}, through white, 0, to blue, {number(largest)}.",
        cells,
        names[:_MOST_FEATURES],
        [str(unit) for unit in range(shown.shape[1])],
        row_label="feature",
        column_label="unit",
        heat=Heat(RED_BLUE, lambda share: number(share * limit), (-1.0, 1.0)),
    )
    yield Figures([chart])
    if shown.size < w.size:
        yield Note(
            f"{shown.shape[0]} of {plural(w.shape[0], 'feature')} and {shown.shape[1]} of "
            f"{plural(w.shape[1], 'unit')} are shown."
        )


def _gallery(name: str, images: Array, largest: float, noun: str) -> Gallery:
    pictures = [
        (signed_picture(image, f"weights of {noun} {index}", largest), f"{noun} {index}")
        for index, image in enumerate(images[:_MOST_PICTURES])
    ]
    note = f"Red is negative, blue positive, from -{number(largest)} to {number(largest)}."
    if len(pictures) < len(images):
        note += f" The first {len(pictures)} of {plural(len(images), noun)} are shown."
    return Gallery(f"Weights of the first layer ({name})", pictures, note)


def _kind(record: RunRecord, name: str) -> str:
    """The kind of the layer that a parameter belongs to."""
    layers = layers_by_name(record.network)
    if name in layers:
        return layer_kind(layers[name])
    layer, _, parameter = name.rpartition(".")
    return f"{parameter} of {layer_kind(layers[layer])}"
