"""A config for a data file with a space to search, by rules that use the file alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnrun.config.names import is_name
from nnrun.config.scaffold.from_data import draft
from nnrun.config.yaml.parse import parse
from nnrun.config.yaml.text import Text
from nnrun.data.readers.formats import stem as stem_of

# A draft has smaller batches where there are fewer than 2,000 rows for training.
_BATCH = 64
_EXPERIMENT = "experiment"


def name_of(data: Path) -> str:
    """The name of an experiment after its data file."""
    stem = re.sub("[^A-Za-z0-9._-]+", "_", stem_of(data))[:100]
    return stem if is_name(stem) else _EXPERIMENT


def searched_draft(path: Path, target: str | None) -> tuple[dict[str, Any], Sequence[str]]:
    """The content of a config, and a line for each choice in it.

    Args:
        path: a table or an npz file, or a folder of images.
        target: the column of the table to predict; None to guess.

    Raises:
        DataError: the file cannot be read, or has nothing to predict from.
        UsageError: there is no such column.
    """
    found = draft(path.absolute(), target, Path.cwd())
    data: dict[str, Any] = parse(Text(found.text, str(path))).data
    return {"name": name_of(path), **data, "search": space_of(data)}, found.choices


def space_of(config: dict[str, Any]) -> dict[str, Any]:
    """What to choose from: the network, its training, and how features are prepared.

    With few rows, a validation split is small: then several judge each trial.

    Args:
        config: a draft, as plain values.
    """
    training, layers = config["training"], config["network"]["layers"]
    batch, rate = training["batch_size"], training["learning_rate"]["initial"]
    few = batch < _BATCH
    # A draft without a validation split has so few rows that larger batches may be all of them.
    factors = (0.5, 1, 2, 4) if "validation_size" in config["dataset"] else (0.5, 1)
    space: dict[str, Any] = {
        "training.learning_rate.initial": {"log_uniform": [rate / 20, rate * 5]},
        "training.optimizer.weight_decay": {"log_uniform": [1e-5, 0.1]},
        "training.batch_size": {"choice": [int(batch * factor) for factor in factors]},
    }
    if all(layer["type"] in ("dense", "flatten") for layer in layers):
        space["network.depth"] = {
            "int": [1, 3],
            "units": {"int": [8, 64 if few else 256], "log": True},
            "activation": {"choice": ["relu", "tanh", "gelu"]},
            "dropout": {"choice": [0, 0.1, 0.3]},
        }
    if config["dataset"].get("features") == "standard":
        space["dataset.features"] = {"choice": ["standard", "minmax"]}
    return {"pruning": "median", "seeds": 3 if few else 1, **space}
