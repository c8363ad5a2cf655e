"""The config of a stored run, with its data where they are now."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnrun.config.load import Experiment, load_config
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.readers.opening import GIVEN, stem
from nnrun.data.splits import load_dataset
from nnrun.errors import DataError
from nnrun.plugins.loading import require
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.data_place import path_of
from nnrun.runs.storage.reading import CONFIG, read_run


def load_stored(folder: Path, record: RunRecord) -> Experiment:
    """The config in the folder of a run, with its data where they are now.

    Raises: ConfigError if it is damaged; DataError if its data are not there; PluginError if a
    plugin that it needs is not loaded.
    """
    require(record.plugins)
    experiment = load_config(folder / CONFIG)
    require_data(record)
    return _with_path(experiment, record)


def require_data(record: RunRecord) -> None:
    """Raise a DataError if nothing says where the data of a stored run are now."""
    path = path_of(record.config)
    if path is not None and not os.path.exists(path):
        start = record.dataset["sha256"][:10]
        raise DataError(
            f"its data, {os.path.basename(path)} (SHA-256 {start}…), are not there; --data FILE "
            "says where they are now"
        )


def load_named(stored: Experiment) -> Callable[[DatasetConfig], Dataset]:
    """A loader of the data of a stored config, under the name that their file had then."""

    def load(config: DatasetConfig) -> Dataset:
        dataset, before, now = load_dataset(config), path_of(stored.source.data), _place_of(config)
        if before is None or now is None or dataset.name != stem(Path(now)):
            return dataset
        description = dataset.description.replace(Path(now).name, Path(before).name, 1)
        return replace(dataset, name=stem(Path(before)), description=description)

    return load


def with_data(experiment: Experiment) -> Experiment:
    """A config; if it is a run's own and its data are not where it says, with where they are."""
    path, given = _place_of(experiment.config.dataset), experiment.source.arguments
    if path is None or experiment.file.name != CONFIG or os.path.exists(path):
        return experiment
    if any(place[:1] == ("dataset",) for place in given):
        return experiment
    run = read_run(experiment.file.parent)
    if run is None or run.record is None:
        return experiment
    return _with_path(experiment, run.record)


def _with_path(experiment: Experiment, record: RunRecord) -> Experiment:
    path, config = path_of(record.config), experiment.config
    block, images = config.dataset, config.dataset.images
    if path is None or _place_of(block) is None:
        return experiment
    update: dict[str, Any] = {"path": path}
    if images is not None:
        update = {"images": images.model_copy(update={"folder": path})}
    block = block.model_copy(update=update)
    return replace(experiment, config=config.model_copy(update={"dataset": block}))


def _place_of(block: DatasetConfig) -> str | None:
    if block.images is not None:
        return block.images.folder
    return None if block.path == GIVEN else block.path
