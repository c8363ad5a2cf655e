"""Where a session starts: the config of a drawn data set, or that of a stored run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnrun.config.load import Experiment, config_from_dict, config_to_dict
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.source_map import Source
from nnrun.data.dataset import Dataset
from nnrun.data.splits import load_dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.nn.network import Network
from nnrun.nn.schedules import Exponential, InverseTime, Step
from nnrun.nn.signature import Array
from nnrun.reports.summary import planned_iterations
from nnrun.runs.record import RunRecord
from nnrun.runs.stored_config import load_stored
from nnrun.training.trainer import Trainer

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
    "members": 1,
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


def _rate(rate: Any, training: Plain, length: int) -> tuple[Any, str]:
    """The rate as the config has it, independent of the run's length, and a note on a schedule."""
    plain = training["learning_rate"]
    if isinstance(rate, float):
        return plain, ""
    follows = f"The learning rate follows the schedule {rate.schedule}; a number ends that."
    if "over" in plain:
        return {**plain, "over": plain["over"] or length}, follows
    schedule = rate.build()
    if isinstance(schedule, _LENGTH_FREE):
        return plain, follows
    first = schedule.rate_at(0, length)
    return first, f"The schedule {rate.schedule} stays at its first rate, {first:.6g}, here."


# Settings that change on the page, as changes of a config.

Edits = Mapping[str, Any]
"""Values by the names of settings, as the page sends them; the config checks most of them."""

MOST_LAYERS, MOST_UNITS, MOST_ROWS = 6, 16, 2000
OPTIMIZERS: dict[str, Plain] = {
    "sgd": {"type": "sgd"},
    "momentum": {"type": "sgd", "momentum": 0.9},
    "adam": {"type": "adam"},
}
_PLACES = {
    "rows": ("dataset", "rows"),
    "noise": ("dataset", "noise"),
    "data_seed": ("dataset", "seed"),
    "test_size": ("dataset", "test_size"),
    "rate": ("training", "learning_rate"),
    "batch_size": ("training", "batch_size"),
    "weight_decay": ("training", "optimizer", "weight_decay"),
    "seed": ("seed",),
}
_OF_DRAWN = ("rows", "noise", "data_seed")
_OF_STACK = ("layers", "activation")
WORDS = {
    "rows": "rows", "noise": "noise", "data_seed": "seed of the data", "test_size": "test share",
    "rate": "learning rate", "batch_size": "batch size", "weight_decay": "weight decay",
    "seed": "seed", "layers": "widths", "activation": "activation", "optimizer": "optimizer",
}  # fmt: skip


def edited(start: Start, edits: Edits) -> Plain:
    """The config with these settings; their values are checked by `experiment_of`.

    Raises: UsageError if there is no such setting, or it is beyond what a page shows.
    """
    config = deepcopy(start.config)
    for name in edits:
        if name not in WORDS:
            raise UsageError(f"there is no setting '{str(name)[:40]}'")
        if why := fixed(start).get(name):
            raise UsageError(f"{WORDS[name]}: {why}")
        if isinstance(edits[name], dict):
            raise UsageError(f"{WORDS[name]}: a single value is needed")
    _check_rows(edits.get("rows"))
    if "optimizer" in edits:
        _put_optimizer(config["training"], edits["optimizer"])
    for name, place in _PLACES.items():
        if name in edits:
            _put(config, place, edits[name])
    if "layers" in edits:
        _put_layers(config["network"], edits["layers"])
    if "activation" in edits:
        for layer in config["network"]["layers"][:-1]:
            layer["activation"] = edits["activation"]
    return config


def experiment_of(config: Plain) -> Experiment:
    """The config, validated.

    Raises: ConfigError with all mistakes in it.
    """
    return Experiment(config_from_dict(config), Source(config), Path())


def values_of(config: Plain) -> Plain:
    """The values of all settings in a resolved config; None where a setting has no single value."""
    values: Plain = {}
    for name, place in _PLACES.items():
        value: Any = config
        for key in place:
            value = value.get(key) if isinstance(value, dict) else None
        values[name] = None if isinstance(value, dict) else value
    hidden = config["network"]["layers"][:-1]
    activations = {layer.get("activation") for layer in hidden}
    values["layers"] = [layer.get("units") for layer in hidden]
    values["activation"] = activations.pop() if len(activations) == 1 else None
    values["optimizer"] = _optimizer_of(config["training"]["optimizer"])
    return values


def fixed(start: Start) -> dict[str, str]:
    """Why settings cannot change, by their names."""
    whys: dict[str, str] = {}
    if not start.drawn:
        whys |= dict.fromkeys(_OF_DRAWN, "the data of a run are as they are")
    if not start.is_stack:
        whys |= dict.fromkeys(_OF_STACK, "only networks of dense layers change their layers here")
    return whys


def _check_rows(rows: object) -> None:
    if isinstance(rows, int) and rows > MOST_ROWS:
        raise UsageError(f"dataset.rows: the playground draws at most {MOST_ROWS:,} rows")


def _put(config: Plain, place: tuple[str, ...], value: Any) -> None:
    for key in place[:-1]:
        config = config[key]
    config[place[-1]] = value


def _put_optimizer(training: Plain, name: object) -> None:
    if not isinstance(name, str) or name not in OPTIMIZERS:
        raise UsageError(f"optimizer: choose one of {', '.join(OPTIMIZERS)}")
    decay = training["optimizer"].get("weight_decay", 0.0)
    training["optimizer"] = {**OPTIMIZERS[name], "weight_decay": decay}


def _optimizer_of(block: Plain) -> str | None:
    for name, wanted in reversed(OPTIMIZERS.items()):
        if wanted.items() <= block.items():
            return name
    return None


def _put_layers(network: Plain, widths: object) -> None:
    if not isinstance(widths, list) or len(widths) > MOST_LAYERS:
        raise UsageError(f"widths: a list of up to {MOST_LAYERS} hidden layers is needed")
    *hidden, last = network["layers"]
    more = hidden[-1] if hidden else {**last, "activation": "tanh"}
    layers = []
    for index, units in enumerate(widths):
        layer = hidden[index] if index < len(hidden) else {**more, "units": MOST_UNITS}
        most = max(MOST_UNITS, layer["units"])  # a stored run may have wider layers
        if type(units) is not int or not 0 < units <= most:
            raise UsageError(f"widths: layer {index} needs 1 to {most} units")
        layers.append({**layer, "units": units})
    network["layers"] = [*layers, last]


# A network that learns on with other settings: what the old one has learned goes into the new.

Arrays = dict[str, tuple[str, Array]]
"""By their names within a layer, with their whole names."""


def carry(old: Trainer, new: Trainer) -> list[str]:
    """Continue training with another trainer, which has made no update yet.

    Weights, and the optimizer's memory of them, are kept in layers of the same shapes; hidden
    layers are counted from the input, the last one is always the output. Random numbers go on.

    Returns:
        The names of the layers that have fresh weights.
    """
    before, after = _layers(old.network), _layers(new.network)
    fresh: list[str] = []
    for role, arrays in after.items():
        sources = before.get(role, {})
        if _shapes(arrays) != _shapes(sources):
            fresh.append(role)
            continue
        for short, (name, array) in arrays.items():
            source, values = sources[short]
            array[...] = values
            _copy_memory(old, new, source, name)
    new.iteration = old.iteration
    new.optimizer.steps = old.optimizer.steps
    new.dropout.bit_generator.state = old.dropout.bit_generator.state
    _continue_order(old, new)
    new.last_good = new.snapshot()
    return fresh


def _layers(network: Network) -> dict[str, Arrays]:
    """The parameters and buffers of each layer by its role."""
    last = str(len(network.blocks) - 1)
    layers: dict[str, Arrays] = {}
    parameters = {name: parameter.value for name, parameter in network.parameters.items()}
    for name, array in (parameters | dict(network.buffers)).items():
        place, _, short = name.rpartition(".")
        role = "the output layer" if place == last else f"layer {place}"
        layers.setdefault(role, {})[short] = name, array
    return layers


def _shapes(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    return {short: array.shape for short, (_, array) in arrays.items()}


def _copy_memory(old: Trainer, new: Trainer, source: str, name: str) -> None:
    """Continue with what the optimizer knows of a parameter, if it is the same optimizer, and with
    the average of a parameter or buffer.
    """
    if name not in new.network.parameters:
        before, after = old.optimizer.average, new.optimizer.average
        if before is not None and after is not None:
            after.of(new.network.buffers[name])[...] = before.of(old.network.buffers[source])
        return
    there, here = _slice(old.network, source), _slice(new.network, name)
    same, known = old.optimizer.type == new.optimizer.type, old.optimizer.vectors
    for memory, array in new.optimizer.vectors.items():
        if memory in known and (same or memory == "average"):
            array[here] = known[memory][there]


def _slice(network: Network, wanted: str) -> slice:
    """The place of a parameter in θ."""
    start = 0
    for name, parameter in network.parameters.items():
        if name == wanted:
            return slice(start, start + parameter.size)
        start += parameter.size
    raise KeyError(wanted)


def _continue_order(old: Trainer, new: Trainer) -> None:
    """The rows that follow, or a new epoch where rows or batches are others."""
    before, after = old.sampler, new.sampler
    same = (before.rows, before.batch_size, before.sampling)
    if same == (after.rows, after.batch_size, after.sampling):
        after.restore(before.state())
    else:
        after.move_to({"stream": before.rng.bit_generator.state, "used": 0})


def fresh_words(fresh: Sequence[str]) -> str:
    """Which layers have fresh weights, in a sentence."""
    if not fresh:
        return "All weights stay."
    *others, last = fresh
    named = f"{', '.join(others)} and {last}" if others else last
    return f"There are fresh weights in {named}."
