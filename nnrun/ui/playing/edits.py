"""Settings that change on the page, as changes of a config."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from nnrun.config.load import Experiment, config_from_dict
from nnrun.config.yaml.source_map import Source
from nnrun.errors import UsageError
from nnrun.ui.playing.start import Plain, Start

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
    found: Plain = {}
    for name, place in _PLACES.items():
        value: Any = config
        for key in place:
            value = value.get(key) if isinstance(value, dict) else None
        found[name] = None if isinstance(value, dict) else value
    hidden = config["network"]["layers"][:-1]
    activations = {layer.get("activation") for layer in hidden}
    found["layers"] = [layer.get("units") for layer in hidden]
    found["activation"] = activations.pop() if len(activations) == 1 else None
    found["optimizer"] = _optimizer_of(config["training"]["optimizer"])
    return found


def fixed(start: Start) -> dict[str, str]:
    """Why settings cannot change, by their names."""
    found: dict[str, str] = {}
    if not start.drawn:
        found |= dict.fromkeys(_OF_DRAWN, "the data of a run are as they are")
    if not start.is_stack:
        found |= dict.fromkeys(_OF_STACK, "only networks of dense layers change their layers here")
    return found


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
        known = hidden[index] if index < len(hidden) else {**more, "units": MOST_UNITS}
        most = max(MOST_UNITS, known["units"])  # a stored run may have wider layers
        if type(units) is not int or not 0 < units <= most:
            raise UsageError(f"widths: layer {index} needs 1 to {most} units")
        layers.append({**known, "units": units})
    network["layers"] = [*layers, last]
