"""A network's predictions: confusion matrix, misclassified rows, calibration, residuals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isclose
from typing import Any

import numpy as np

from nnrun.characters import shortened
from nnrun.nn.signature import Array
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.heatmap import Heat, heatmap
from nnrun.reports.charts.kinds.scatter import calibration, histogram, predicted_and_true, residuals
from nnrun.reports.charts.style import BLUES
from nnrun.reports.document import Block, Cell, Figures, Gallery, Grid, MistakenCell, Mistakes, Note
from nnrun.reports.examine import Histogram, Predictions, calibration_bins
from nnrun.reports.html.inside.rows import (
    are_images,
    image_of,
    place_of,
    probability,
    table_of,
)
from nnrun.reports.numbers import count, plural
from nnrun.reports.run import classes_table
from nnrun.reports.split_words import split_title
from nnrun.reports.summary import splits
from nnrun.runs.record import RunRecord

_MOST_CLASSES = 26
_MOST_POINTS = 400
_MOST_PICTURES = 60
_MOST_IN_CELL = 8
_MOST_CELLS = 24


def class_blocks(
    record: RunRecord, predictions: Predictions | None, anchor: str
) -> Iterator[Block]:
    """The confusion matrix, the rows of its cells, calibration, precision and recall.

    Without predictions, since the network or data cannot be loaded, only what the report has.
    """
    split = splits(record.dataset)[-1]
    numbers: dict[str, Any] | None = record.metrics.get(split)
    if numbers is None:
        return
    classes = [shortened(name, 40) for name in record.dataset["classes"]]
    mistakes = [] if predictions is None else list(_mistaken_cells(predictions, classes, anchor))
    figures = [] if predictions is None else _calibration(predictions)
    if len(classes) <= _MOST_CLASSES:
        figures.insert(0, _confusion(numbers["confusion"], classes, split, mistakes))
    yield Figures(figures)
    if len(classes) > _MOST_CLASSES:
        yield Note(f"{len(classes)} classes are too many for a matrix; report.json has it.")
    if predictions is not None and mistakes:
        wrong = int(np.count_nonzero(predictions.decoded != predictions.part.y))
        shown = sum(cell.rows for cell in mistakes)
        some = "all of them" if shown == wrong else f"{count(shown)} of them"
        yield Note(f"{plural(wrong, 'row')} misclassified; {some} are shown, cell by cell:")
        yield Mistakes(mistakes)
    yield classes_table(record, split)


def regression_blocks(predictions: Predictions) -> Iterator[Block]:
    """Predicted against true values, and residuals."""
    names = predictions.dataset.target_names
    for output in range(min(predictions.decoded.shape[1], 4)):
        of = f" of {shortened(names[output], 30)}" if output < len(names) else ""
        true, predicted = predictions.part.y[:, output], predictions.decoded[:, output]
        known = np.isfinite(predicted)
        true, predicted = true[known].astype(np.float64), predicted[known].astype(np.float64)
        bars = Histogram.of(true - predicted)
        x, y = true[:_MOST_POINTS].tolist(), predicted[:_MOST_POINTS].tolist()
        left = (true - predicted)[:_MOST_POINTS].tolist()
        rows = predictions.part.rows[known][:_MOST_POINTS].tolist()
        title = f"How often each residual{of} occurs, {predictions.split}"
        charts = (
            predicted_and_true(f"Predicted against true{of}, {predictions.split}", x, y, rows),
            residuals(f"Residuals{of}, {predictions.split}", y, left, rows),
            histogram(title, bars.edges, bars.counts, "true − predicted", "rows", (400.0, 400.0)),
        )
        yield Figures(charts, columns=3)
        if len(true) > _MOST_POINTS:
            yield Note(f"The first {_MOST_POINTS} of {plural(len(true), 'row')} are drawn.")


def agree(record: RunRecord, predictions: Predictions) -> bool:
    """Whether predictions give the metrics of the report, up to rounding."""
    numbers = record.metrics.get(predictions.split) or {}
    y, predicted = predictions.part.y, predictions.decoded
    if record.task == "regression":
        known = numbers.get("rmse")
        if known is None:
            return True
        unit = max(float(np.abs(predicted).max()), float(np.abs(y).max())) or 1.0
        squares = (predicted / unit - y / unit) ** 2  # of which none overflows
        by_output = np.average(squares, axis=0, weights=predictions.part.weight)
        rmse = unit * float(np.sqrt(by_output).mean())
        # Predictions in float32 agree to this share of the target, however small an error is.
        return isclose(rmse, known, rel_tol=1e-5, abs_tol=1e-5 * float(np.abs(y).max()))
    n = len(predictions.dataset.classes)
    confusion = np.bincount(y * n + predicted, minlength=n * n).reshape(n, n)
    # On another machine, rows at the border of two classes may get the other class.
    return int(np.abs(confusion - np.array(numbers["confusion"])).sum()) <= 2 * len(y) // 1000


def _confusion(
    matrix: Sequence[Sequence[int]],
    classes: Sequence[str],
    split: str,
    mistakes: Sequence[MistakenCell],
) -> Chart:
    wrong = [
        (value, classes[row], classes[column])
        for row, line in enumerate(matrix)
        for column, value in enumerate(line)
        if value and row != column
    ]
    total = sum(map(sum, matrix))
    right = total - sum(value for value, _, _ in wrong)
    most = max(wrong, default=None)
    worst = f" Most often, {most[1]} is predicted as {most[2]} ({most[0]} rows)." if most else ""
    links = {cell.place: cell.id for cell in mistakes}
    return heatmap(
        f"Confusion matrix, {split_title(split)}",
        f"{count(right)} of {plural(total, 'row')} are classified correctly.{worst}"
        + (" Cells link to their rows." if links else ""),
        matrix,
        classes,
        classes,
        row_label="true",
        column_label="predicted",
        heat=Heat(
            BLUES,
            lambda value: count(int(value)),
            domain=(0.0, max(1.0, *(float(max(line)) for line in matrix))),
            empty=lambda row, column: matrix[row][column] == 0,
            links=links,
        ),
    )


def _calibration(predictions: Predictions) -> list[Chart]:
    if predictions.probabilities is None:
        return []
    sure = predictions.probabilities[np.arange(len(predictions.decoded)), predictions.decoded]
    bins = calibration_bins(sure, predictions.decoded == predictions.part.y)
    return [calibration(f"Calibration, {predictions.split} split", *bins)]


def _mistaken_cells(
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
        if are_images(predictions):
            content: Gallery | Grid = _pictures(predictions, shown, title, classes)
        else:
            content = _values(predictions, shown, title)
        yield MistakenCell(identity, (true, wrong), title, content)


def _pictures(predictions: Predictions, rows: Array, title: str, classes: Sequence[str]) -> Gallery:
    pictures = []
    for row in rows:
        true, wrong = classes[predictions.part.y[row]], classes[predictions.decoded[row]]
        picture = image_of(predictions, row, f"a {true}, predicted as {wrong}")
        sure = f", {probability(predictions, row)}" * (predictions.probabilities is not None)
        pictures.append((picture, f"{place_of(predictions, row)}: {true} → {wrong}{sure}"))
    return Gallery(title, pictures)


def _values(predictions: Predictions, rows: Array, title: str) -> Grid:
    sure = predictions.probabilities is not None
    header = ["probability"] if sure else []
    known = [[Cell(probability(predictions, row))] if sure else [] for row in rows]
    return table_of(predictions, rows, title, header, known)
