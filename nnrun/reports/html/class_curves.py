"""ROC, precision-recall, gains and calibration: how well probabilities tell each class apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nnrun.characters import shortened
from nnrun.metrics.compute import area_under_roc
from nnrun.nn.signature import Array
from nnrun.reports.charts.chart import Chart
from nnrun.reports.charts.kinds.lines import Series, rates
from nnrun.reports.document import Block, Figures, Note
from nnrun.reports.examine import Predictions, calibration_bins
from nnrun.reports.numbers import number

_MOST_CLASSES = 10
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
        """From whether each row is of the class, and its probability; rows of both are needed.

        Rows of equal probability are passed together, so that their order does not matter.
        """
        order = np.argsort(-probability, kind="stable")
        last = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
        found = np.concatenate([[0], np.cumsum(is_class[order])[last]])
        rows = np.concatenate([[0], last + 1])
        precision = np.divide(found, rows, out=np.ones(len(rows)), where=rows > 0)
        others = len(order) - found[-1]
        return cls(
            found / found[-1],
            (rows - found) / others,
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
    drawn = sorted(curves, key=lambda k: curves[k].area)[:_MOST_CLASSES]
    if not drawn:
        return
    names = [shortened(predictions.dataset.classes[k], 30) for k in drawn]
    legend = [*enumerate(names)]
    charts = [*_charts(predictions, curves, drawn, names)]
    yield Figures(charts, legend[:_COLOURED], legend[_COLOURED:])
    if len(drawn) > _COLOURED:
        smallest = "classes with the smallest area under the ROC curve"
        yield Note(f"In colour: the {_COLOURED} {smallest}.", "small")
    if len(drawn) < probabilities.shape[1]:
        why = f"{len(drawn)} of {probabilities.shape[1]} classes are drawn"
        how = ", those with the smallest area under the ROC curve" * (len(drawn) < len(there))
        yield Note(f"{why}{how}; classes without rows have no curve.", "small")


def _charts(
    predictions: Predictions,
    curves: dict[int, ClassCurves],
    drawn: list[int],
    names: list[str],
) -> Iterator[Chart]:
    of = f", {predictions.split} split"
    roc, precision, gains = zip(*(curves[k].on_grid() for k in drawn), strict=True)
    areas = ", ".join(
        f"{name} {number(curves[k].area)}" for k, name in zip(drawn, names, strict=True)
    )

    def series(heights: Sequence[Array]) -> list[Series]:
        return _series(names, [(_GRID.tolist(), y.tolist()) for y in heights])

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
        f"Calibration by class{of}", _series(names, bins), x_label="predicted probability",
        y_label="share of the class", guide="On the dashed line, probabilities are right.",
    )  # fmt: skip


def _series(names: list[str], points: Sequence[tuple[list[float], list[float]]]) -> list[Series]:
    return [
        Series(name, x, y, index=index, other=index >= _COLOURED)
        for index, (name, (x, y)) in enumerate(zip(names, points, strict=True))
    ]


def _joined(at: Array, x: Array, y: Array) -> Array:
    """The height at each place of a line that rises; where it is upright, its upper end."""
    last = np.append(np.diff(x) > 0, True)
    found: Array = np.interp(at, x[last], y[last])
    return found
