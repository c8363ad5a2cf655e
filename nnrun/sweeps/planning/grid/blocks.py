"""Configs of a grid, put together from blocks that were valid in others of its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.config.load import Experiment
from nnrun.config.overrides import steps_of
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.errors import Problem
from nnrun.sweeps.planning.grid.axes import Axis

# The values that these blocks vary are tried in all of a config.
_VARIED = {"sweep", "search"}

# This many blocks are kept; a grid of more starts again with none.
_MOST = 4096


@dataclass(frozen=True)
class _PutTogether(Experiment):
    """A config that was put together; its places are found once there is a problem."""

    load: Callable[[], Experiment]

    def problem(self, path: KeyPath, message: str) -> Problem:
        return self.load().problem(path, message)


class KnownBlocks:
    """The blocks of a grid's configs, by the values that the grid gave them.

    A key changes nothing outside of its outermost block, so a block is validated alone, and a block
    that was valid in one setting is valid in all that have the same values in it. What blocks can
    contradict only together is checked for each setting.

    Args:
        axes: of the grid.
        load_block: the block with a key, and its data, for values by their dotted keys; None if it
            is invalid.
    """

    def __init__(
        self,
        axes: Sequence[Axis],
        load_block: Callable[[str, Mapping[str, Any]], tuple[Any, Any] | None],
    ) -> None:
        self._axes: dict[str, list[int]] = {}
        for index, axis in enumerate(axes):
            block = steps_of(axis.key)[0]
            self._axes.setdefault(block, []).append(index)
        self._all = axes
        self._load_block = load_block
        self._known: dict[tuple[str, tuple[int, ...]], tuple[Any, Any]] = {}
        self._first: Experiment | None = None
        self._alone: set[str] = set()

    def keep(self, positions: Sequence[int], experiment: Experiment) -> None:
        """Use the blocks of a config that was loaded as a whole, with these values."""
        config = experiment.config
        varies = config.search is not None or (config.sweep is not None and config.sweep.grid)
        if varies or not self._axes.keys() <= type(config).model_fields.keys():
            return  # the values that a config varies are tried in all of it
        self._first = self._first or experiment
        self._alone = self._axes.keys() - _VARIED if type(config) is ExperimentConfig else set()
        for block in self._axes:
            value = getattr(config, block), experiment.source.data.get(block)
            self._keep(self._key(block, positions), value)

    def put_together(
        self, positions: Sequence[int], load: Callable[[], Experiment]
    ) -> Experiment | None:
        """The config with these values; None where a block is invalid, or blocks contradict.

        `load` loads it as it was written.
        """
        if self._first is None:
            return None
        blocks, data = {}, dict(self._first.source.data)
        for block in self._axes:
            known = self._block(block, positions)
            if known is None:
                return None
            blocks[block], data[block] = known
        config = self._first.config.model_copy(update=blocks)
        if any(config.contradictions(data)):
            return None
        first = self._first
        return _PutTogether(config, first.source, first.file, load)

    def _block(self, block: str, positions: Sequence[int]) -> tuple[Any, Any] | None:
        key = self._key(block, positions)
        known = self._known.get(key)
        if known is not None or block not in self._alone:
            return known
        axes = [self._all[index] for index in self._axes[block]]
        values = {axis.key: axis.values[at] for axis, at in zip(axes, key[1], strict=True)}
        loaded = self._load_block(block, values)
        if loaded is not None and len(self._axes) > 1:  # no other setting has the only one
            self._keep(key, loaded)
        return loaded

    def _keep(self, key: tuple[str, tuple[int, ...]], block: tuple[Any, Any]) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known.setdefault(key, block)

    def _key(self, block: str, positions: Sequence[int]) -> tuple[str, tuple[int, ...]]:
        return block, tuple([positions[index] for index in self._axes[block]])
