"""Rows of the data by number or file, as pictures or as tables of values."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.characters import clean
from nnrun.nn.signature import Array
from nnrun.reports.charts.pictures import Picture, grey_picture, photograph
from nnrun.reports.charts.svg import shortened
from nnrun.reports.examine import Predictions
from nnrun.reports.numbers import MISSING, number
from nnrun.reports.tables import Cell, Grid

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
