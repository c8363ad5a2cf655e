"""A stored run's network applied to its data: predictions for each row, outputs of each layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from nnrun.config.load import config_from_dict
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.split_rows import Split, SplitData
from nnrun.errors import NnrunError
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord
from nnrun.runs.stored_config import require_data

LoadData = Callable[[DatasetConfig], Dataset]
# Activations are shown for the first rows of the split.
_MOST_ROWS = 500
_BARS = 30
_TENTHS = 10


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of values between edges; there is one more edge than counts."""

    edges: list[float]
    counts: list[int]

    @classmethod
    def of(cls, values: Array) -> Histogram:
        """The histogram of all finite values, in bins of equal width."""
        finite = values[np.isfinite(values)].astype(np.float64)
        if not finite.size:
            return cls([0.0, 1.0], [0])
        low, high = float(finite.min()), float(finite.max())
        if low == high or not np.isfinite(high - low):
            room = abs(low) / 2 or 1.0
            return cls([low - room, low + room], [int(finite.size)])
        counts, edges = np.histogram(finite, bins=_BARS, range=(low, high))
        return cls(edges.tolist(), counts.tolist())


def calibration_bins(
    probability: Array, right: Array
) -> tuple[list[float], list[float], list[int]]:
    """Mean, share that is right and number of rows for each tenth of probabilities."""
    bins = np.minimum((probability * _TENTHS).astype(np.int64), _TENTHS - 1)
    filled = [bins == b for b in range(_TENTHS) if (bins == b).any()]
    return (
        [float(probability[inside].mean(dtype=np.float64)) for inside in filled],
        [float(right[inside].mean()) for inside in filled],
        [int(inside.sum()) for inside in filled],
    )


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """The outputs of a layer of the config, by its number there.

    A unit is an output, or a channel; those that are dead have the same output for every row.
    """

    index: int
    histogram: Histogram
    units: int
    dead: int


@dataclass(frozen=True, eq=False)
class Predictions:
    """A network's predictions for the rows of a split.

    Args:
        split: the last one that exists: `test`, `validation` or `train`.
        part: its rows before preprocessing, with their row numbers in the data set.
        decoded: class numbers (rows,), or values in the target's own units (rows, outputs).
        probabilities: (rows, classes); None for regression.
        activity: one entry for each layer.
        dataset: the data set of these rows.
        train: the training split.
    """

    split: str
    part: SplitData
    decoded: Array
    probabilities: Array | None
    activity: list[LayerActivity]
    dataset: Dataset
    train: SplitData


def prepared_again(record: RunRecord, load_data: LoadData) -> Prepared:
    """A stored run with its data and splits.

    Raises:
        NnrunError: its data are missing or have changed.
        OSError: a file cannot be read.
    """
    require_data(record)
    config = config_from_dict(record.config)
    dataset = load_data(config.dataset)
    if dataset.sha256 != record.dataset["sha256"]:
        now, then = dataset.sha256[:10], record.dataset["sha256"][:10]
        raise NnrunError(
            f"the data are not those it was trained on: their SHA-256 starts with {now}, not {then}"
        )
    return prepare_again(config, dataset)


def last_split(split: Split) -> tuple[str, SplitData]:
    """The test split, else the validation split, else the training split, with its name."""
    parts = {"test": split.test, "validation": split.validation, "train": split.train}
    return next((name, part) for name, part in parts.items() if part is not None)


def predictions_of(record: RunRecord, model: Model, load_data: LoadData) -> Predictions:
    """Predict the rows of the last split with a stored run's network; raises as above."""
    prepared = prepared_again(record, load_data)
    split = prepared.split
    name, part = last_split(split)
    with np.errstate(all="ignore"):
        outputs = model.evaluate(part.raw)
        decoded = model.task.decode(outputs)
    probabilities = None
    if isinstance(model.task, Classification):
        probabilities = model.task.probabilities(outputs)
    activity = _activity(model, part.raw.between(0, _MOST_ROWS))
    return Predictions(name, part, decoded, probabilities, activity, prepared.dataset, split.train)


def layer_outputs(model: Model, x: Array) -> Iterator[Array]:
    """What goes into the first layer for these rows, and what comes out of each layer."""
    network = model.network
    with np.errstate(all="ignore"):
        ready = model.preprocessing.transform_x(x).reshape(-1, *network.input_shape)
        y = np.ascontiguousarray(ready, network.dtype)
        yield y
        for block in network.blocks:
            for layer in block:
                y = layer.forward(y)
            yield y


def _activity(model: Model, x: Array) -> list[LayerActivity]:
    layers = []
    for index, y in enumerate(islice(layer_outputs(model, x), 1, None)):
        # (rows, units, values of a unit)
        units = y.reshape(len(y), y.shape[1], -1) if y.ndim > 1 else y[:, None, None]
        same = (units.max(axis=(0, 2)) == units.min(axis=(0, 2))) & (len(y) > 1)
        layers.append(LayerActivity(index, Histogram.of(y), len(same), int(same.sum())))
    return layers
