"""The models of scikit-learn that a sweep trains beside the networks of a config."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nnrun.config.names import BESIDE
from nnrun.config.schema.experiment import NO_LOSS, BesideConfig
from nnrun.config.settings import BESIDE as KEY
from nnrun.errors import ConfigError, UsageError
from nnrun.metrics.table import LOSS
from nnrun.runs.preparation.infer_task import infer_task
from nnrun.suggestions import suggestion
from nnrun.sweeps.planning.grid.blocks import KnownBlocks
from nnrun.sweeps.planning.grid.combinations import Grid, GridPoint

# Keys of the `dataset` block that networks alone have.
_OF_NETWORKS = ("dataset.features", "dataset.target")


def models_of(word: str | Sequence[str]) -> list[str]:
    """The names in `linear,forest` or in a list of them.

    Raises: UsageError if one of them is no model, or given twice.
    """
    names = [name.strip() for name in word.split(",")] if isinstance(word, str) else [*word]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UsageError(f"beside: '{name}' is given twice")
        if name not in BESIDE:
            hint = suggestion(str(name), BESIDE)
            raise UsageError(f"beside: '{name}' is no model of scikit-learn{hint}")
    return names


def grids_beside(grid: Grid, given: Sequence[str] | None) -> list[Grid]:
    """A grid for each model: of the config's own grid what changes the data and their splits.

    `given` are the models that an argument names; by default they are those of the config. The
    models that the config's own grid trains are left out.

    Raises: ConfigError if runs are ordered by the loss, which these models have not.
    """
    sweep = grid.base.config.sweep
    if given is None:
        given = [] if sweep is None else sweep.beside
    own = {axis.key: axis.values for axis in grid.axes}.get(KEY, ())
    if isinstance(grid.base.config, BesideConfig):
        own = [*own, grid.base.config.beside]
    given = [model for model in given if model not in own]
    if given and sweep is not None and sweep.order_by == LOSS:
        raise ConfigError([grid.base.problem(("sweep", "order_by"), NO_LOSS)])
    axes = [axis for axis in grid.axes if _is_of_data(axis.key)]
    varied = [key for key in grid.varied if _is_of_data(key)]
    values = {**vars(grid), "axes": axes, "varied": varied}
    return [BesideGrid(**values, model=model) for model in given]


def _is_of_data(key: str) -> bool:
    return key.startswith("dataset.") and not f"{key}.".startswith(_OF_NETWORKS)


@dataclass(frozen=True)
class BesideGrid(Grid):
    """The grid of a model on the data of a config."""

    model: str

    def choice(self, positions: Iterable[int]) -> dict[str, Any]:
        return {**super().choice(positions), KEY: self.model}

    def _load(self, positions: Sequence[int], known: KnownBlocks) -> GridPoint | ConfigError:
        found = super()._load(positions, known)
        if isinstance(found, ConfigError):
            return found
        config = found.experiment.config
        inferred = infer_task(config)
        task = config.dataset.task or (inferred.task if inferred else None)
        model = BesideConfig.of(config, self.model, task)
        return replace(found, experiment=replace(found.experiment, config=model))
