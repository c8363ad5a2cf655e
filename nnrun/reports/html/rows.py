"""Rows of the data as pictures or tables of values, and those nearest a network's boundary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnrun.characters import clean, shortened
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.reports.charts.pictures import Picture, grey_picture, photograph
from nnrun.reports.document import Block, Cell, Gallery, Grid, Note
from nnrun.reports.examine import Predictions
from nnrun.reports.numbers import MISSING, count, number
from nnrun.reports.summary import split_title

_MOST_COLUMNS = 12


def are_images(predictions: Predictions) -> bool:
    """Whether rows have the shape of an image."""
    return len(predictions.dataset.shape) == 3


def place_of(predictions: Predictions, row: int) -> str:
    """The file of a row of the split, or its number in the data set."""
    files, number_ = predictions.dataset.files, int(predictions.part.rows[row])
    return clean(files[number_]) if files else f"row {number_}"


def image_of(predictions: Predictions, row: int, words: str) -> Picture:
    """A row as a picture, which these words describe."""
    show = photograph if predictions.dataset.files else grey_picture
    (pixels,) = predictions.part.raw.between(row, row + 1)
    return show(pixels, f"{place_of(predictions, row)}: {words}")


def share(probability: float) -> str:
    """A probability as a percentage: `97%`, `0.2%`, `>99%`."""
    return f"{100 * probability:.2g}%" if probability < 0.995 else ">99%"


def probability(predictions: Predictions, row: int) -> str:
    """The probability of the class that is predicted for a row."""
    if predictions.probabilities is None:
        return MISSING
    return share(float(predictions.probabilities[row, predictions.decoded[row]]))


def table_of(
    predictions: Predictions,
    rows: Array,
    title: str,
    header: Sequence[str],
    found: Sequence[Sequence[Cell]],
    texts: int = 1,
) -> Grid:
    """The numbers of rows, what has been found out about each, and its first values.

    The first `texts` columns are text.
    """
    names = predictions.dataset.feature_names[:_MOST_COLUMNS]
    flat = predictions.part.raw.take(rows).all().reshape(len(rows), -1)
    more = flat.shape[1] - len(names)
    lines = [
        [
            Cell(str(int(predictions.part.rows[row]))),
            *known,
            *(Cell(number(float(v)), float(v)) for v in values[: len(names)]),
            *([Cell(f"{more} more")] if more > 0 else []),
        ]
        for row, known, values in zip(rows, found, flat, strict=True)
    ]
    columns = [*(shortened(name, 24) for name in names), *(["…"] if more > 0 else [])]
    return Grid(title, ["row", *header, *columns], lines, texts)


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
