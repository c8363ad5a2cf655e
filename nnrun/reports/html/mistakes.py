"""Misclassified rows, as pictures or as tables of their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnrun.nn.signature import Array
from nnrun.reports.charts.pictures import Picture, grey_picture
from nnrun.reports.charts.svg import shortened
from nnrun.reports.examine import Predictions
from nnrun.reports.html.blocks import Gallery, MistakenCell
from nnrun.reports.numbers import number, percent, plural
from nnrun.reports.tables import Cell, Grid

_MOST_PICTURES = 60
_MOST_IN_CELL = 8
_MOST_CELLS = 24
_MOST_COLUMNS = 12


def mistaken_cells(
    predictions: Predictions, classes: Sequence[str], anchor: str
) -> Iterator[MistakenCell]:
    """The rows of the cells with the most mistakes, in the order of the matrix."""
    y, predicted = predictions.part.y, predictions.decoded
    pairs, sizes = np.unique(
        np.stack([y[y != predicted], predicted[y != predicted]], axis=1), axis=0, return_counts=True
    )
    order = sorted(range(len(pairs)), key=lambda index: -sizes[index])[:_MOST_CELLS]
    left = _MOST_PICTURES
    for index in sorted(order, key=lambda index: tuple(pairs[index])):
        true, wrong = map(int, pairs[index])
        rows = np.flatnonzero((y == true) & (predicted == wrong))
        shown = rows[: min(_MOST_IN_CELL, left)]
        left -= len(shown)
        if not len(shown):
            break
        title = f"{classes[true]} predicted as {classes[wrong]}: {plural(len(rows), 'row')}"
        identity = f"{anchor}-{true}-{wrong}"
        if len(predictions.dataset.shape) == 3:
            content: Gallery | Grid = _pictures(predictions, shown, title, classes)
        else:
            content = _values(predictions, shown, title)
        yield MistakenCell(identity, (true, wrong), title, content)


def _pictures(predictions: Predictions, rows: Array, title: str, classes: Sequence[str]) -> Gallery:
    pictures = []
    for row in rows:
        true, wrong = classes[predictions.part.y[row]], classes[predictions.decoded[row]]
        where = f"row {predictions.part.rows[row]}"
        label = f"{where}: a {true}, predicted as {wrong}"
        picture: Picture = grey_picture(predictions.part.x[row], label)
        caption = f"{where}: {true} → {wrong}{_probability(predictions, row)}"
        pictures.append((picture, caption))
    return Gallery(title, pictures)


def _values(predictions: Predictions, rows: Array, title: str) -> Grid:
    names = predictions.dataset.feature_names[:_MOST_COLUMNS]
    extra = [] if predictions.probabilities is None else ["probability"]
    flat = predictions.part.x.reshape(len(predictions.part.x), -1)
    more = flat.shape[1] - len(names)
    header = ["row", *extra, *(shortened(name, 24) for name in names), *(["…"] if more > 0 else [])]
    lines = []
    for row in rows:
        values = [Cell(number(float(v)), float(v)) for v in flat[row, : len(names)]]
        first = [Cell(str(int(predictions.part.rows[row])))]
        if extra:
            first.append(Cell(_probability(predictions, row).strip(" ,")))
        rest = [Cell(f"{more} more")] if more > 0 else []
        lines.append([*first, *values, *rest])
    return Grid(title, header, lines)


def _probability(predictions: Predictions, row: int) -> str:
    if predictions.probabilities is None:
        return ""
    probability = float(predictions.probabilities[row, predictions.decoded[row]])
    return f", {percent(probability).lstrip('+')}"
