"""The playground: its page, in the server or as a file, and the address with a run's settings."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from nnrun import __version__
from nnrun.config.load import config_from_dict, config_to_dict
from nnrun.errors import NnrunError
from nnrun.reports.html.report import page_style
from nnrun.reports.templates import content_policy, environment, resource

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
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"type": "sgd"},
    "momentum": {"type": "sgd", "momentum": 0.9},
    "adam": {"type": "adam"},
}
SCRIPTS = ("pictures.js", "engine.js", "session.js", "network.js", "play.js")
"""The page's scripts, in order."""
MOST_LAYERS, MOST_UNITS, MOST_ROWS = 6, 16, 2000
_PACKAGE = "nnrun.ui"


def page_alone() -> str:
    """The page as one file, which needs no server and loads nothing."""
    sheets = [resource(_PACKAGE, name) for name in ("ui.css", "playground/play.css")]
    style = "\n".join([page_style(), *sheets])
    script = "\n".join(resource(_PACKAGE, f"playground/{name}") for name in SCRIPTS)
    return environment(_PACKAGE).get_template("playground/page.html").render(
        frame="playground/alone.html", root="", scripts=(), version=__version__,
        style=Markup(style), script=Markup(script),  # nnrun's own files
        policy=content_policy(style, script),
    )  # fmt: skip


# The way back: from the config of a run to the settings of the page.

_OF_RUNS = ("name", "description", "published", "sweep", "search", "decide", "metrics")
_OF_TRAINING = ("iterations", "epochs", "engine", "evaluate_every", "evaluate_rows", "watch")
"""Keys that change no update."""


def address_of(config: dict[str, Any]) -> str:
    """The query of the address whose playground makes the updates of a config; empty if none does.

    Args:
        config: resolved, as in a run's report.
    """
    try:
        settings = _settings(config)
        again = config_to_dict(config_from_dict(_config(settings)))
    except (NnrunError, KeyError, TypeError, ValueError):
        return ""
    same = _updates(config) == _updates(again)
    return urlencode({name: _text(value) for name, value in settings.items()}) if same else ""


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """The settings nearest to a config.

    Raises: KeyError, TypeError or ValueError where it has none for them.
    """
    dataset, training = config["dataset"], config["training"]
    dense = [each for each in config["network"]["layers"] if each["type"] == "dense"]
    dropped = [each["rate"] for each in config["network"]["layers"] if each["type"] == "dropout"]
    optimizer = training["optimizer"]
    momentum = "momentum" if optimizer.get("momentum") else optimizer["type"]
    widths = [each["units"] for each in dense[:-1]]
    if max([*widths, 0]) > MOST_UNITS or len(widths) > MOST_LAYERS or dataset["rows"] > MOST_ROWS:
        raise ValueError("too large for a page")
    return {
        "data": dataset["name"], "rows": dataset["rows"], "noise": dataset["noise"],
        "data_seed": dataset["seed"], "test_size": dataset["test_size"], "layers": widths,
        "activation": [each["activation"] for each in dense[:-1]],
        "dropout": dropped[0] if dropped else 0.0,
        "rate": float(training["learning_rate"]), "batch_size": training["batch_size"],
        "optimizer": momentum, "weight_decay": optimizer["weight_decay"], "seed": config["seed"],
    }  # fmt: skip


def _config(settings: dict[str, Any]) -> dict[str, Any]:
    """The config of settings, as the page writes it."""
    last, loss = DRAWN[settings["data"]]
    layers: list[dict[str, Any]] = []
    for units, activation in zip(settings["layers"], settings["activation"], strict=True):
        layers.append({"type": "dense", "units": units, "activation": activation})
        layers += [{"type": "dropout", "rate": settings["dropout"]}] * bool(settings["dropout"])
    outputs = 3 if last == "softmax" else 1
    optimizer = {**OPTIMIZERS[settings["optimizer"]], "weight_decay": settings["weight_decay"]}
    drawn = {"name": settings["data"], "seed": settings["data_seed"]}
    return {
        "name": "playground",
        "dataset": drawn | {key: settings[key] for key in ("rows", "noise", "test_size")},
        "network": {"layers": [*layers, {"type": "dense", "units": outputs, "activation": last}]},
        "loss": loss,
        "training": {
            "optimizer": optimizer, "learning_rate": settings["rate"], "iterations": 1,
            "batch_size": settings["batch_size"],
        },
        "seed": settings["seed"],
    }  # fmt: skip


def _updates(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a config that its updates depend on."""
    training = {k: v for k, v in config["training"].items() if k not in _OF_TRAINING}
    # A report has the task of the data, and no None where nothing is stratified.
    dataset = {**config["dataset"], "task": None, "stratify": bool(config["dataset"]["stratify"])}
    rest = {key: value for key, value in config.items() if key not in _OF_RUNS}
    return {**rest, "dataset": dataset, "training": training}


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
