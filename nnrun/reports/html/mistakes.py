"""The rows that a network takes for what they are not: as pictures, or by their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnrun.nn.signature import Array
from nnrun.reports.charts.pictures import Picture, grey_picture
from nnrun.reports.examine import Answers
from nnrun.reports.html.blocks import Cell, Gallery, Grid, MistakenCell, text_of
from nnrun.reports.numbers import number, percent, plural

_MOST_PICTURES = 60
_MOST_IN_CELL = 8
_MOST_CELLS = 24
_MOST_COLUMNS = 12


def mistaken_cells(answers: Answers, classes: Sequence[str], anchor: str) -> Iterator[MistakenCell]:
    """The rows of the fullest cells, in the order of the matrix."""
    y, said = answers.part.y, answers.decoded
    pairs, sizes = np.unique(
        np.stack([y[y != said], said[y != said]], axis=1), axis=0, return_counts=True
    )
    order = sorted(range(len(pairs)), key=lambda index: -sizes[index])[:_MOST_CELLS]
    left = _MOST_PICTURES
    for index in sorted(order, key=lambda index: tuple(pairs[index])):
        true, taken = map(int, pairs[index])
        rows = np.flatnonzero((y == true) & (said == taken))
        shown = rows[: min(_MOST_IN_CELL, left)]
        left -= len(shown)
        if not len(shown):
            break
        title = f"{classes[true]} taken for {classes[taken]}: {plural(len(rows), 'row')}"
        identity = f"{anchor}-{true}-{taken}"
        if len(answers.dataset.shape) == 3:
            content: Gallery | Grid = _pictures(answers, shown, title, classes)
        else:
            content = _values(answers, shown, title)
        yield MistakenCell(identity, title, content)


def _pictures(answers: Answers, rows: Array, title: str, classes: Sequence[str]) -> Gallery:
    pictures = []
    for row in rows:
        true, said = classes[answers.part.y[row]], classes[answers.decoded[row]]
        where = f"row {answers.part.rows[row]}"
        label = f"{where}: a {true}, taken for {said}"
        picture: Picture = grey_picture(answers.part.x[row], label)
        caption = f"{where}: {true} → {said}{_sureness(answers, row)}"
        pictures.append((picture, caption))
    return Gallery(title, pictures)


def _values(answers: Answers, rows: Array, title: str) -> Grid:
    names = answers.dataset.feature_names[:_MOST_COLUMNS]
    sure = [] if answers.probabilities is None else ["sure"]
    flat = answers.part.x.reshape(len(answers.part.x), -1)
    more = flat.shape[1] - len(names)
    header = ["row", *sure, *(text_of(name, 24) for name in names), *(["…"] if more > 0 else [])]
    lines = []
    for row in rows:
        values = [Cell(number(float(v)), float(v)) for v in flat[row, : len(names)]]
        first = [Cell(str(int(answers.part.rows[row])))]
        if sure:
            first.append(Cell(_sureness(answers, row).strip(" ,")))
        rest = [Cell(f"{more} more")] if more > 0 else []
        lines.append([*first, *values, *rest])
    return Grid(title, header, lines)


def _sureness(answers: Answers, row: int) -> str:
    if answers.probabilities is None:
        return ""
    probability = float(answers.probabilities[row, answers.decoded[row]])
    return f", {percent(probability).lstrip('+')}"
