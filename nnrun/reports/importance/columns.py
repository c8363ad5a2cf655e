"""Permutation importance and partial dependence of the columns of a table, and pixels that count.

A column is shuffled, or set to a value, as it stands in the file: its one-hot columns together. Of
pixels there are the mean gradient of the input, and occlusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.split_rows import SplitData
from nnrun.metrics.table import larger_is_better
from nnrun.models.model import Model
from nnrun.models.scores import measured
from nnrun.models.task import Classification
from nnrun.nn.network import chunk_rows
from nnrun.nn.signature import Array

_MOST_SEEDS = 2**32
_MOST_ROWS = 500
_POINTS = 20
_MOST_CHOICES = 50
# The range of a partial dependence is that of scikit-learn.
_RANGE = (0.05, 0.95)


@dataclass(frozen=True)
class Dependence:
    """The mean predictions for rows whose column is set to one value after the other.

    `outputs` are what is predicted: classes, by their probability or share, or targets.
    """

    column: str
    values: list[float] | list[str]
    outputs: list[str]
    means: list[list[float]]


def places_of(model: Model) -> Mapping[str, range]:
    """The places in x of each column that the network takes."""
    columns = model.layout.columns
    if columns.features:
        return columns.places
    return {f"column {i + 1}": range(i, i + 1) for i in range(model.layout.shape[0])}


def permutation_importance(
    model: Model, part: SplitData, metric: str, repeats: int, seed: int
) -> Array:
    """What a metric loses, or an error gains, when one column is shuffled: (columns, repeats).

    Breiman, Machine Learning 45 (2001). Rows have their weights in the metric, as in the report.
    """
    from sklearn import inspection  # noqa: PLC0415  # slow to import

    places = [*places_of(model).values()]
    # Each column has the number of the row that its value comes from.
    origin = np.repeat(np.arange(len(part))[:, None], len(places), axis=1)
    found = inspection.permutation_importance(
        _Shuffled(model, part, places),
        origin,
        part.y,
        scoring=partial(_score, metric),
        n_repeats=repeats,
        random_state=seed % _MOST_SEEDS,
    )
    importances: Array = found.importances
    return importances


class _Shuffled:
    """A network as an estimator whose input says, for each column, from which row it is."""

    def __init__(self, model: Model, part: SplitData, places: list[range]) -> None:
        self.model, self.part, self.places = model, part, places
        self.x = part.x

    def fit(self, x: Array, y: Array) -> _Shuffled:
        """Nothing is left to fit; scikit-learn looks for the method."""
        return self

    def outputs(self, origin: npt.NDArray[np.intp]) -> Array:
        """The network's outputs for rows that are put together so."""
        rows, own = self.x.copy(), np.arange(len(self.part))
        for place, rows_of in zip(self.places, origin.T, strict=True):
            if (rows_of != own).any():
                rows[:, place.start : place.stop] = self.x[rows_of, place.start : place.stop]
        return self.model.evaluate(rows)


def _score(metric: str, estimator: _Shuffled, origin: npt.NDArray[np.intp], y: Array) -> float:
    """The metric, larger is better; NaN where it is undefined."""
    task, outputs = estimator.model.task, estimator.outputs(origin)
    weight = estimator.part.weight
    quick = task.quick_metrics(outputs, y, weight)
    if metric in quick:
        value = quick[metric]
    else:
        value = measured(task, outputs, y, [metric], weight)[metric]
    if value is None:
        return nan
    return float(value) if larger_is_better(metric) else -float(value)


def can_be_set(model: Model, column: str) -> bool:
    """Whether a column can have one value in all rows; dates and earlier values cannot."""
    kinds = {kind.name: kind for kind in model.layout.columns}
    return column not in kinds or kinds[column].choices() != []


def partial_dependence(model: Model, part: SplitData, column: str) -> Dependence:
    """The partial dependence on a column, over the first rows of a split.

    Of many categories it has those that most of these rows have. Friedman, Annals of Statistics 29
    (2001).
    """
    place = places_of(model)[column]
    rows = part.raw.between(0, _MOST_ROWS)
    kinds = {kind.name: kind for kind in model.layout.columns}
    choices = kinds[column].choices() if kinds else None
    if choices is None:
        known = rows[:, place.start].astype(np.float64)
        numbers = _grid(known[np.isfinite(known)])
        settings = [np.array([value]) for value in numbers]
        values: Any = numbers
    else:
        choices = _most_frequent(choices, rows[:, place.start : place.stop])
        settings, values = [one for _, one in choices], [label for label, _ in choices]
    means = []
    for setting in settings:
        changed = rows.astype(np.float64)
        changed[:, place.start : place.stop] = setting
        means.append([float(mean) for mean in _predicted(model, changed).mean(axis=0)])
    return Dependence(column, values, _names(model, len(means[0])), means)


def _most_frequent(choices: list[tuple[str, Array]], x: Array) -> list[tuple[str, Array]]:
    """Those that most rows have, if there are many; in their own order."""
    counts = np.array([(x == features).all(axis=1).sum() for _, features in choices])
    kept = np.argsort(-counts, kind="stable")[:_MOST_CHOICES]
    return [choices[index] for index in sorted(kept)]


def _grid(values: Array) -> list[float]:
    """All values if they are few, else values at equal steps between two quantiles."""
    different = np.unique(values)
    if len(different) <= _POINTS:
        return [float(value) for value in different]
    low, high = np.quantile(values, _RANGE)
    return [float(value) for value in np.linspace(low, high, _POINTS)]


def _predicted(model: Model, rows: Array) -> Array:
    """Probabilities (rows, classes), shares of classes, or values (rows, targets)."""
    outputs = model.evaluate(rows)
    if not isinstance(model.task, Classification):
        return model.task.decode(outputs)
    found = model.task.probabilities(outputs)
    return np.eye(model.task.classes)[model.task.decode(outputs)] if found is None else found


def _names(model: Model, outputs: int) -> list[str]:
    names = model.layout.classes or model.layout.target_names
    return [*names] if len(names) == outputs else [f"output {i}" for i in range(outputs)]


MOST_ROWS = 500
_MOST_CLASSES = 10


@dataclass(frozen=True, eq=False)
class PixelMap:
    """Two pictures of the pixels that count for one class, or for the value of a regression.

    Args:
        name: of the class; "value" for a regression.
        rows: how many images of the class they are the mean of.
        gradient: (height, width), of the output for the class with respect to the prepared pixels,
            summed over channels.
        occlusion: (height, width), what the probability of the class loses where a patch has the
            mean pixels of these images; for a regression, how far the value moves.
    """

    name: str
    rows: int
    gradient: Array
    occlusion: Array


def pixel_maps(model: Model, part: SplitData) -> list[PixelMap]:
    """The maps of the first classes, from the first images of a split."""
    x, y = part.raw.between(0, MOST_ROWS), part.y[:MOST_ROWS]
    if isinstance(model.task, Classification):
        names = model.layout.classes[:_MOST_CLASSES]
        groups = [(name, label, y == label) for label, name in enumerate(names)]
    else:
        groups = [("value", 0, np.ones(len(y), np.bool_))]
    lost = _occluded(model, x, y)
    return [
        PixelMap(name, int(own.sum()), _gradient(model, x[own], output), lost[own].mean(axis=0))
        for name, output, own in groups
        if own.any()
    ]


def _gradient(model: Model, x: Array, output: int) -> Array:
    """The mean gradient of one output; of two classes with one output, that of the second."""
    network, total = model.network, np.zeros(model.layout.shape)
    sign = 1.0
    if network.output_shape[0] == 1 and isinstance(model.task, Classification):
        sign, output = (1.0 if output else -1.0), 0
    for start in range(0, len(x), step := chunk_rows(network)):
        ready = model.preprocessing.transform_x(x[start : start + step])
        rows = np.ascontiguousarray(ready.reshape(-1, *network.input_shape), network.dtype)
        dy = np.zeros_like(network.forward(rows))
        dy[:, output] = sign
        total += network.backward(dy).sum(axis=0, dtype=np.float64).reshape(total.shape)
    mean: Array = total.sum(axis=0) / len(x)
    return mean


def _occluded(model: Model, x: Array, y: Array) -> Array:
    """What each image loses where a patch is covered: (rows, height, width)."""
    height, width = x.shape[2:]
    side = max(1, min(height, width) // 4)
    step = max(1, side // 2)
    mean, own = x.mean(axis=0, dtype=np.float64), _of_target(model, x, y)
    lost, covered = np.zeros((len(x), height, width)), np.zeros((height, width))
    for top in range(0, height - side + 1, step):
        for left in range(0, width - side + 1, step):
            place = (slice(top, top + side), slice(left, left + side))
            changed = x.astype(np.float64)
            changed[:, :, *place] = mean[:, *place]
            lost[:, *place] += (own - _of_target(model, changed, y))[:, None, None]
            covered[place] += 1
    return np.asarray(lost / np.maximum(covered, 1))


def _of_target(model: Model, x: Array, y: Array) -> Array:
    """The probability of the true class, or the output for it; the value of a regression."""
    outputs, task = model.evaluate(x), model.task
    if not isinstance(task, Classification):
        return task.decode(outputs)[:, 0]
    found = task.probabilities(outputs)
    found = outputs if found is None else found
    if found.shape[1] == 1:
        return np.where(y == 1, found[:, 0], -found[:, 0])
    return np.asarray(found[np.arange(len(y)), y])
