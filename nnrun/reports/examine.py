"""What a stored run's network does with its data: answers row by row, and what its units show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnrun.config.load import config_from_dict
from nnrun.config.schema.experiment import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.load import load_dataset
from nnrun.data.splits import SplitData
from nnrun.errors import NnrunError
from nnrun.models.load import load
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.record import RunRecord

# Rows that activations are shown for: the first of the split.
_MOST_ROWS = 500
_BARS = 30


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often values fall between edges: one more of these than counts."""

    edges: list[float]
    counts: list[int]

    @classmethod
    def of(cls, values: Array) -> Histogram:
        """Of all values that are numbers, in bars of equal width."""
        known = values[np.isfinite(values)].astype(np.float64)
        if not known.size:
            return cls([0.0, 1.0], [0])
        low, high = float(known.min()), float(known.max())
        if low == high or not np.isfinite(high - low):
            room = abs(low) / 2 or 1.0
            return cls([low - room, low + room], [int(known.size)])
        counts, edges = np.histogram(known, bins=_BARS, range=(low, high))
        return cls(edges.tolist(), counts.tolist())


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """What a layer of the config puts out.

    Args:
        index: of the layer in the config.
        histogram: of all its outputs.
        units: how many it has: outputs, or channels.
        dead: those that put out the same for every row.
    """

    index: int
    histogram: Histogram
    units: int
    dead: int


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says of the rows of a split.

    Args:
        split: the last that there is: `test`, `validation` or `train`.
        part: its raw rows, with their numbers in the data set.
        decoded: class numbers (rows,), or values in the target's own units (rows, outputs).
        probabilities: (rows, classes); None where there are none.
        activity: layer by layer.
        dataset: that the rows are of.
        train: the rows that it was trained on.
    """

    split: str
    part: SplitData
    decoded: Array
    probabilities: Array | None
    activity: list[LayerActivity]
    dataset: Dataset
    train: SplitData


def answers_of(
    record: RunRecord,
    folder: Path,
    load_data: Callable[[DatasetConfig], Dataset] = load_dataset,
    model: Model | None = None,
) -> Answers:
    """Let a stored run's network answer the rows of its last split.

    Args:
        record: the run's report.
        folder: where it lies.
        load_data: loads data, or has them already.
        model: the run's network, where it was loaded before.

    Raises:
        NnrunError: the network is damaged, or its data are missing or not what they were.
        OSError: a file cannot be read.
    """
    model = load(folder) if model is None else model
    config = config_from_dict(record.config)
    dataset = load_data(config.dataset)
    if dataset.sha256 != record.dataset["sha256"]:
        now, then = dataset.sha256[:10], record.dataset["sha256"][:10]
        raise NnrunError(
            f"the data are not those it was trained on: their SHA-256 starts with {now}, not {then}"
        )
    prepared = prepare_again(config, dataset)
    split = prepared.split
    parts = {"test": split.test, "validation": split.validation, "train": split.train}
    name, part = next((name, part) for name, part in parts.items() if part is not None)
    with np.errstate(all="ignore"):
        outputs = model.evaluate(part.x)
        decoded = model.task.decode(outputs)
    probabilities = None
    if isinstance(model.task, Classification):
        probabilities = model.task.probabilities(outputs)
    activity = _activity(model, part.x[:_MOST_ROWS])
    return Answers(name, part, decoded, probabilities, activity, prepared.dataset, split.train)


def _activity(model: Model, x: Array) -> list[LayerActivity]:
    network = model.network
    with np.errstate(all="ignore"):
        ready = model.preprocessing.transform_x(x).reshape(-1, *network.input_shape)
        y = np.ascontiguousarray(ready, network.dtype)
        found = []
        for index, block in enumerate(network.blocks):
            for layer in block:
                y = layer.forward(y)
            # (rows, units, values of a unit)
            units = y.reshape(len(y), y.shape[1], -1) if y.ndim > 1 else y[:, None, None]
            same = (units.max(axis=(0, 2)) == units.min(axis=(0, 2))) & (len(y) > 1)
            found.append(LayerActivity(index, Histogram.of(y), len(same), int(same.sum())))
    return found
