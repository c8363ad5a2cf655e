"""The config of a stored run, with its data where they are now."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from nnrun.config.load import Experiment, load_config
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import CONFIG, read_run


def load_stored(folder: Path, record: RunRecord) -> Experiment:
    """The config in the folder of a run; what older versions had no key for is as it was then.

    Raises: ConfigError if it is damaged.
    """
    experiment = load_config(folder / CONFIG)
    experiment = _with_path(experiment, record)
    config, stored = experiment.config, experiment.source.data
    if "metrics" not in stored:
        config = config.model_copy(update={"metrics": []})
    if "evaluate_rows" not in (stored.get("training") or ("evaluate_rows",)):
        training = config.training.model_copy(update={"evaluate_rows": "all"})
        config = config.model_copy(update={"training": training})
    return replace(experiment, config=config)


def with_data(experiment: Experiment) -> Experiment:
    """A config; if it is a run's own and its data are not where it says, with where they are."""
    path, given = experiment.config.dataset.path, experiment.source.arguments
    if path is None or experiment.file.name != CONFIG or os.path.exists(path):
        return experiment
    if any(("dataset", "path")[:length] in given for length in (1, 2)):
        return experiment
    run = read_run(experiment.file.parent)
    if run is None or run.record is None:
        return experiment
    return _with_path(experiment, run.record)


def _with_path(experiment: Experiment, record: RunRecord) -> Experiment:
    path, config = record.config["dataset"].get("path"), experiment.config
    if config.dataset.path is None or not isinstance(path, str):
        return experiment
    block = config.dataset.model_copy(update={"path": path})
    return replace(experiment, config=config.model_copy(update={"dataset": block}))
