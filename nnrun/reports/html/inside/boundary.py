"""The rows between whose classes a network decides most narrowly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.reports.charts.svg import shortened
from nnrun.reports.examine import Predictions
from nnrun.reports.html.blocks import Block, Gallery, Note
from nnrun.reports.html.inside.rows import are_images, image_of, place_of, share, table_of
from nnrun.reports.numbers import count, number
from nnrun.reports.split_words import split_title
from nnrun.reports.tables import Cell

_NEAREST = 12
_TITLE = "Rows nearest the boundary"


def boundary_blocks(model: Model, predictions: Predictions) -> Iterator[Block]:
    """The rows nearest the boundary, as pictures or values; nothing without probabilities."""
    found = nearest_boundary(model, predictions)
    if found is None:
        return
    rows, margins, rule = found
    yield Note(f"The {count(len(rows))} rows of the {split_title(predictions.split)} {rule}.")
    classes = [shortened(name, 30) for name in predictions.dataset.classes]
    true = [classes[predictions.part.y[row]] for row in rows]
    two = [_two(predictions, row, classes) for row in rows]
    if are_images(predictions):
        yield Gallery(
            _TITLE,
            [
                (
                    image_of(predictions, row, f"a {label}, {first} or {second}"),
                    f"{place_of(predictions, row)}, true {label}: {first}, {second}",
                )
                for row, label, (first, second) in zip(rows, true, two, strict=True)
            ],
        )
        return
    known = [
        [Cell(label), *map(Cell, words), Cell(number(margin), margin)]
        for label, words, margin in zip(true, two, margins.tolist(), strict=True)
    ]
    header = ("true", "most probable", "next", "margin")
    yield table_of(predictions, rows, _TITLE, header, known, texts=4)


def nearest_boundary(model: Model, predictions: Predictions) -> tuple[Array, Array, str] | None:
    """Places in the split with the margins there, and what was looked for, in words."""
    p = predictions.probabilities
    if p is None or p.shape[1] < 2 or not np.isfinite(p).all():
        return None
    decision = model.task.decision if isinstance(model.task, Classification) else None
    if decision is None:
        last = np.sort(p.astype(np.float64), axis=1)[:, -2:]
        margins, rule = last[:, 1] - last[:, 0], "whose two largest probabilities differ least"
    else:
        margins = np.abs(p[:, decision.positive].astype(np.float64) - decision.threshold)
        rule = "whose probability is nearest the threshold"
    rows = np.argsort(margins, kind="stable")[:_NEAREST]
    return rows, margins[rows], rule


def _two(predictions: Predictions, row: int, classes: list[str]) -> list[str]:
    """The two most probable classes of a row, with their probabilities."""
    assert predictions.probabilities is not None
    found = predictions.probabilities[row]
    order = np.argsort(-found, kind="stable")[:2]
    return [f"{classes[k]} at {share(float(found[k]))}" for k in order]
