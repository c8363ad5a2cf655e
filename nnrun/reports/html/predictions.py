"""A network's predictions: confusion matrix, curves by class, residuals, rows as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

import numpy as np

from nnrun.characters import clean, shortened
from nnrun.metrics.compute import area_under_roc
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.reports.charts.chart import BLUES, Chart
from nnrun.reports.charts.lines import Heat, Series, heatmap, rates
from nnrun.reports.charts.pictures import Picture, grey_picture, photograph
from nnrun.reports.charts.scatter import calibration, histogram, predicted_and_true, residuals
from nnrun.reports.document import Block, Cell, Figures, Gallery, Grid, MistakenCell, Mistakes, Note
from nnrun.reports.numbers import MISSING, count, number, plural
from nnrun.reports.predictions import Histogram, Predictions, calibration_bins
from nnrun.reports.run import classes_table
from nnrun.reports.summary import split_title, splits
from nnrun.runs.record import RunRecord

# Rows of the data as pictures or tables of values, and those nearest a network's boundary.

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
    findings: Sequence[Sequence[Cell]],
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
            *cells,
            *(Cell(number(float(v)), float(v)) for v in values[: len(names)]),
            *([Cell(f"{more} more")] if more > 0 else []),
        ]
        for row, cells, values in zip(rows, findings, flat, strict=True)
    ]
    columns = [*(shortened(name, 24) for name in names), *(["…"] if more > 0 else [])]
    return Grid(title, ["row", *header, *columns], lines, texts)


_NEAREST = 12
_TITLE = "Rows nearest the boundary"


def boundary_blocks(model: Model, predictions: Predictions) -> Iterator[Block]:
    """The rows nearest the boundary, as pictures or values; nothing without probabilities."""
    nearest = nearest_boundary(model, predictions)
    if nearest is None:
        return
    rows, margins, rule = nearest
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
    cells = [
        [Cell(label), *map(Cell, words), Cell(number(margin), margin)]
        for label, words, margin in zip(true, two, margins.tolist(), strict=True)
    ]
    header = ("true", "most probable", "next", "margin")
    yield table_of(predictions, rows, _TITLE, header, cells, texts=4)


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
    chances = predictions.probabilities[row]
    order = np.argsort(-chances, kind="stable")[:2]
    return [f"{classes[k]} at {share(float(chances[k]))}" for k in order]


# A network's predictions: confusion matrix, misclassified rows, curves by class, residuals.

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
        finite = np.isfinite(predicted)
        true, predicted = true[finite].astype(np.float64), predicted[finite].astype(np.float64)
        bars = Histogram.of(true - predicted)
        x, y = true[:_MOST_POINTS].tolist(), predicted[:_MOST_POINTS].tolist()
        left = (true - predicted)[:_MOST_POINTS].tolist()
        rows = predictions.part.rows[finite][:_MOST_POINTS].tolist()
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
        stored = numbers.get("rmse")
        if stored is None:
            return True
        unit = max(float(np.abs(predicted).max()), float(np.abs(y).max())) or 1.0
        squares = (predicted / unit - y / unit) ** 2  # of which none overflows
        by_output = np.average(squares, axis=0, weights=predictions.part.weight)
        rmse = unit * float(np.sqrt(by_output).mean())
        # Predictions in float32 agree to this share of the target, however small an error is.
        return isclose(rmse, stored, rel_tol=1e-5, abs_tol=1e-5 * float(np.abs(y).max()))
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
    cells = [[Cell(probability(predictions, row))] if sure else [] for row in rows]
    return table_of(predictions, rows, title, header, cells)


_MOST_CURVES = 10
_COLOURED = 6
# Where lines have points; denser at the left, where rare classes are found.
_GRID = np.concatenate([[0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07], np.arange(2, 21) / 20])


@dataclass(frozen=True)
class ClassCurves:
    """The curves of one class against all others, over every threshold of its probability.

    Args:
        recall: the share of its rows at or above each threshold, from 0 to 1.
        false_alarms: the share of other rows there.
        precision: the share of its rows among those.
        reached: the share of all rows there.
        area: under the ROC curve.
    """

    recall: Array
    false_alarms: Array
    precision: Array
    reached: Array
    area: float

    @classmethod
    def of(cls, is_class: Array, probability: Array) -> ClassCurves:
        """Curves from whether each row is of the class, and its probability; both must occur.

        Rows of equal probability are passed together, so that their order does not matter.
        """
        order = np.argsort(-probability, kind="stable")
        last = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
        right = np.concatenate([[0], np.cumsum(is_class[order])[last]])
        rows = np.concatenate([[0], last + 1])
        precision = np.divide(right, rows, out=np.ones(len(rows)), where=rows > 0)
        others = len(order) - right[-1]
        return cls(
            right / right[-1],
            (rows - right) / others,
            precision,
            rows / len(order),
            area_under_roc(is_class, probability),
        )

    def on_grid(self) -> tuple[Array, Array, Array]:
        """Recall by false alarms, precision by recall, and recall by rows reached, on the grid."""
        first = np.searchsorted(self.recall, _GRID - 1e-12).clip(1)
        return (
            _joined(_GRID, self.false_alarms, self.recall),
            self.precision[first],
            _joined(_GRID, self.reached, self.recall),
        )


def curve_blocks(predictions: Predictions) -> Iterator[Block]:
    """Four charts with a line for each class; nothing without probabilities of rows of a class."""
    probabilities, y = predictions.probabilities, predictions.part.y
    if probabilities is None or not np.isfinite(probabilities).all():
        return
    there = [k for k in range(probabilities.shape[1]) if 0 < np.count_nonzero(y == k) < len(y)]
    curves = {k: ClassCurves.of(y == k, probabilities[:, k].astype(np.float64)) for k in there}
    # The classes that are separated worst come first.
    drawn = sorted(curves, key=lambda k: curves[k].area)[:_MOST_CURVES]
    if not drawn:
        return
    names = [shortened(predictions.dataset.classes[k], 30) for k in drawn]
    legend = [*enumerate(names)]
    charts = [*_class_charts(predictions, curves, drawn, names)]
    yield Figures(charts, legend[:_COLOURED], legend[_COLOURED:])
    if len(drawn) > _COLOURED:
        smallest = "classes with the smallest area under the ROC curve"
        yield Note(f"In colour: the {_COLOURED} {smallest}.", "small")
    if len(drawn) < probabilities.shape[1]:
        why = f"{len(drawn)} of {probabilities.shape[1]} classes are drawn"
        how = ", those with the smallest area under the ROC curve" * (len(drawn) < len(there))
        yield Note(f"{why}{how}; classes without rows have no curve.", "small")


def _class_charts(
    predictions: Predictions, curves: dict[int, ClassCurves], drawn: list[int], names: list[str]
) -> Iterator[Chart]:
    of = f", {predictions.split} split"
    roc, precision, gains = zip(*(curves[k].on_grid() for k in drawn), strict=True)
    areas = ", ".join(
        f"{name} {number(curves[k].area)}" for k, name in zip(drawn, names, strict=True)
    )

    def series(heights: Sequence[Array]) -> list[Series]:
        return _class_series(names, [(_GRID.tolist(), y.tolist()) for y in heights])

    yield rates(
        f"ROC{of}", series(roc), x_label="false positive rate", y_label="recall",
        guide="On the dashed line, probabilities say nothing.",
        summary=f"Areas under the curves: {areas}.",
    )  # fmt: skip
    yield rates(
        f"Precision and recall{of}", series(precision), x_label="recall", y_label="precision"
    )
    yield rates(
        f"Gains{of}", series(gains), x_label="share of all rows, the most probable first",
        y_label="recall", guide="On the dashed line, rows are in random order.",
    )  # fmt: skip
    assert predictions.probabilities is not None
    bins = [
        calibration_bins(predictions.probabilities[:, k], predictions.part.y == k)[:2]
        for k in drawn
    ]
    yield rates(
        f"Calibration by class{of}", _class_series(names, bins), x_label="predicted probability",
        y_label="share of the class", guide="On the dashed line, probabilities are right.",
    )  # fmt: skip


def _class_series(
    names: list[str], points: Sequence[tuple[list[float], list[float]]]
) -> list[Series]:
    return [
        Series(name, x, y, index=index, other=index >= _COLOURED)
        for index, (name, (x, y)) in enumerate(zip(names, points, strict=True))
    ]


def _joined(at: Array, x: Array, y: Array) -> Array:
    """The height at each place of a line that rises; where it is upright, its upper end."""
    last = np.append(np.diff(x) > 0, True)
    heights: Array = np.interp(at, x[last], y[last])
    return heights
