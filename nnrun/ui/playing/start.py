"""Where a session starts: the config of a drawn data set, or that of a stored run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnrun.config.load import config_from_dict, config_to_dict
from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.load import load_dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.nn.schedules import Exponential, InverseTime, Step
from nnrun.reports.summary import planned_iterations
from nnrun.runs.record import RunRecord
from nnrun.runs.stored_config import load_stored

Plain = dict[str, Any]
"""A config as plain values."""

DRAWN = {
    "circles": ("sigmoid", "binary_cross_entropy"),
    "moons": ("sigmoid", "binary_cross_entropy"),
    "spirals": ("sigmoid", "binary_cross_entropy"),
    "xor": ("sigmoid", "binary_cross_entropy"),
    "checkerboard": ("sigmoid", "binary_cross_entropy"),
    "blobs": ("softmax", "cross_entropy"),
    "sine": ("linear", "mean_squared"),
}
"""The data sets to choose from, each with its last activation and loss."""

_ENDLESS = 1_000_000
_OUTPUTS = {"blobs": 3}
# Rates of these do not depend on the length of the run; those of others with `over` do not either.
_LENGTH_FREE = (Step, Exponential, InverseTime)
_EMPTY: tuple[object, ...] = (None, "", [], {})
_NOTHING: Plain = {
    "description": "", "published": None, "sweep": None, "search": None, "decide": None,
}  # fmt: skip
_OF_TRAINING: Plain = {
    "epochs": None, "evaluate_every": None, "evaluate_rows": None, "early_stopping": None,
    "iterations": _ENDLESS, "engine": "numpy",
}  # fmt: skip


@dataclass(frozen=True)
class Start:
    """A config to begin with, with more iterations than anyone waits for.

    If its data are drawn, rows and noise can change; the notes say how it differs from the config
    of a stored run.
    """

    config: Plain
    load: Callable[[DatasetConfig], Dataset]
    title: str
    drawn: bool = True
    notes: Sequence[str] = ()

    @property
    def is_stack(self) -> bool:
        """Whether all layers are dense, so that their number and widths can change."""
        return all(layer["type"] == "dense" for layer in self.config["network"]["layers"])


def start_drawn(name: object) -> Start:
    """A small network on a drawn data set.

    Raises: UsageError if there is no such data set.
    """
    if not isinstance(name, str) or name not in DRAWN:
        raise UsageError(f"there is no such data set here; there are {', '.join(DRAWN)}")
    last, loss = DRAWN[name]
    hidden = [{"type": "dense", "units": units, "activation": "tanh"} for units in (4, 3)]
    output = {"type": "dense", "units": _OUTPUTS.get(name, 1), "activation": last}
    config: Plain = {
        "name": f"playground_{name}",
        "dataset": {"name": name, "rows": 400, "test_size": 0.5},
        "network": {"layers": [*hidden, output]},
        "loss": loss,
        "training": {
            "optimizer": {"type": "sgd", "weight_decay": 0.0},
            "learning_rate": 0.1,
            "iterations": _ENDLESS,
            "batch_size": 10,
            "engine": "numpy",
        },
        "seed": 42,
    }
    return Start(config, load_dataset, name)


def start_stored(
    folder: Path, record: RunRecord, load_data: Callable[[DatasetConfig], Dataset]
) -> Start:
    """The config of a stored run, from its first iteration on.

    Raises: NnrunError if it has no network, or its data are missing or have changed.
    """
    label = f"{record.name}/{record.run_id}"
    if record.beside is not None:
        raise UsageError(f"models of scikit-learn, as {label}, have no updates to watch")
    stored = load_stored(folder, record).config
    dataset = load_data(stored.dataset)
    if dataset.sha256 != record.dataset["sha256"]:
        raise NnrunError(f"the data of {label} have changed since it was trained")
    config = {**config_to_dict(stored), **_NOTHING}
    notes = []
    if stored.training.early_stopping is not None:
        notes.append("It does not stop early here.")
    training = {**config["training"], **_OF_TRAINING}
    training.pop("watch", None)
    length = planned_iterations(record)
    training["learning_rate"], note = _rate(stored.training.learning_rate, training, length)
    if note:
        notes.append(note)
    if record.engine != "numpy":
        notes.append("NumPy trains it here, so its numbers agree with the run's up to rounding.")
    config |= {"name": f"playground_{record.name}"[:100], "training": training}
    config = _without_nothing(config)
    return Start(config, lambda _: dataset, label, drawn=False, notes=notes)


def _without_nothing(config: Plain) -> Plain:
    """The config without keys that are null or empty, if it is the same config then."""
    short = _short(config)
    if config["metrics"] == []:  # by default there may be some
        short["metrics"] = []
    same = config_to_dict(config_from_dict(short)) == config_to_dict(config_from_dict(config))
    return short if same else config


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _short(inner) for key, inner in value.items() if inner not in _EMPTY}


def _rate(found: Any, training: Plain, length: int) -> tuple[Any, str]:
    """The rate as the config has it, independent of the run's length, and a note on a schedule."""
    plain = training["learning_rate"]
    if isinstance(found, float):
        return plain, ""
    follows = f"The learning rate follows the schedule {found.schedule}; a number ends that."
    if "over" in plain:
        return {**plain, "over": plain["over"] or length}, follows
    schedule = found.build()
    if isinstance(schedule, _LENGTH_FREE):
        return plain, follows
    first = schedule.rate_at(0, length)
    return first, f"The schedule {found.schedule} stays at its first rate, {first:.6g}, here."
