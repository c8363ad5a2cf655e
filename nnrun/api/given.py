"""The arguments of functions: configs, data and runs, numbers, and errors for unknown names."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from inspect import signature
from operator import index
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from nnrun.api.values.run import Run
from nnrun.config.load import Experiment, load_config
from nnrun.config.overrides import format_override
from nnrun.config.yaml.plain import plain
from nnrun.data.readers.formats import GIVEN
from nnrun.errors import UsageError
from nnrun.plugins.loading import load, load_ambient
from nnrun.runs.sharing import is_packed
from nnrun.runs.sharing.unpack import unpacked_for_good
from nnrun.suggestions import nearest
from nnrun.sweeps.picking import pick_run

P = ParamSpec("P")
R = TypeVar("R")

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


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with an error for unknown keywords that names the setting that was meant.

    Settings of a config are given as `overrides`, and not as arguments. Plugins are loaded first:
    those of installed packages and of NNRUN_PLUGINS, and the files of the argument `plugins`.
    """
    known = signature(function).parameters

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in kwargs.items():
            if name not in known:
                hint = _hint(name, value, known)
                raise TypeError(f"nnrun.{function.__name__} has no argument '{name}'{hint}")
        load_ambient()
        files: Any = kwargs.get("plugins", ())
        load(*([files] if isinstance(files, str | os.PathLike) else files))
        return function(*args, **kwargs)

    return call


def at_least_one(name: str, value: int | None) -> int | None:
    """A whole number of at least 1, such as a number of threads; None stands for the default.

    Raises:
        UsageError: the value is no whole number, or less than 1.
    """
    if value is None:
        return None
    try:
        number = index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise UsageError(f"{name}={value!r}: a whole number of at least 1 is needed")
    return number


def _hint(name: str, value: object, known: Collection[str]) -> str:
    from nnrun.config.hints import place_of  # noqa: PLC0415  # slow to import

    near = nearest(name, known)
    place = place_of(name) if "overrides" in known else None
    if place is not None and near is None:
        return f"; settings are overrides, as in overrides={{{place!r}: {value!r}}}"
    return f"; did you mean '{near}'?" if near else f"; there are {', '.join(known)}"
