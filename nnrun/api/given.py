"""What functions are given: a config with overrides and data, or a run by its name or folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nnrun.api.values.run import Run
from nnrun.config.load import Experiment, load_config
from nnrun.config.overrides import format_override
from nnrun.config.yaml.plain import plain
from nnrun.data.readers.formats import GIVEN
from nnrun.errors import UsageError
from nnrun.runs.sharing import is_packed
from nnrun.runs.sharing.unpack import unpacked_for_good
from nnrun.sweeps.picking import pick_run

Path_ = str | os.PathLike[str]
Config = Path_ | Mapping[str, Any]
Plugins = Path_ | Iterable[Path_]
FROM_DATA = {"dataset.path": GIVEN}
"""The override for data that are given in place of a file."""


def experiment_of(
    config: Config,
    overrides: Mapping[str, Any] | None,
    seed: int | None,
    iterations: int | None,
    data: Any,
) -> Experiment:
    """The config as an experiment.

    Raises:
        ConfigError: with all mistakes of the config.
    """
    origin = config if isinstance(config, Mapping) else Path(config)
    given = words(overrides) + ([] if seed is None else words({"seed": seed}))
    given += [] if data is None else words(FROM_DATA)
    return load_config(origin, given, iterations)


def words(overrides: Mapping[str, Any] | None) -> list[str]:
    """Overrides in the form of the command line, which errors refer to.

    Raises:
        ConfigError: a value cannot be written in a config.
    """
    if not isinstance(overrides or {}, Mapping):
        raise UsageError('overrides are a dictionary such as {"training.learning_rate": 0.1}')
    return [format_override(key, value) for key, value in plain(overrides or {}).items()]


def folder_of(run: Run | Path_, results: Path_ | None) -> Path:
    """The folder of a stored run."""
    if not isinstance(run, Run):
        place, root = os.fspath(run), Path(results or "results")
        return unpacked_for_good(Path(place)) if is_packed(place) else pick_run(place, root)
    if run.path is None:
        raise UsageError(f"{run.name}/{run.run_id}: it was kept in memory, and no file of it is")
    return run.path
