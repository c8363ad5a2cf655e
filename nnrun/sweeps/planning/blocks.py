"""Configs of a grid, put together from blocks that were valid in others of its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.config.load import Experiment
from nnrun.config.overrides import split_argument
from nnrun.config.yaml.parse import KeyPath
from nnrun.errors import Problem
from nnrun.sweeps.planning.axes import Axis


@dataclass(frozen=True)
class _PutTogether(Experiment):
    """A config that was put together; its places are found once there is a problem."""

    load: Callable[[], Experiment]

    def problem(self, path: KeyPath, message: str) -> Problem:
        return self.load().problem(path, message)


class KnownBlocks:
    """The blocks of a grid's configs, by the values that the grid gave them.

    A key changes nothing outside of its outermost block, so a block that was valid in one setting
    is valid in all that have the same values in it. What blocks can contradict only together is
    checked for each setting.
    """

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._axes: dict[str, list[int]] = {}
        for index, axis in enumerate(axes):
            block = split_argument(f"{axis.key}=")[0][0]
            self._axes.setdefault(block, []).append(index)
        self._known: dict[tuple[str, tuple[int, ...]], tuple[Any, Any]] = {}
        self._first: Experiment | None = None

    def keep(self, positions: Sequence[int], experiment: Experiment) -> None:
        """Keep the blocks of a config that was loaded with the values at these positions."""
        config = experiment.config
        varies = config.search is not None or (config.sweep is not None and config.sweep.grid)
        if varies or not self._axes.keys() <= type(config).model_fields.keys():
            return  # the values that a config varies are tried in all of it
        self._first = self._first or experiment
        for block in self._axes:
            value = getattr(config, block), experiment.source.data.get(block)
            self._known.setdefault(self._key(block, positions), value)

    def put_together(
        self, positions: Sequence[int], load: Callable[[], Experiment]
    ) -> Experiment | None:
        """The config with these values; None where a block is new, or blocks contradict each other.

        `load` loads it as it was written.
        """
        if self._first is None:
            return None
        blocks, data = {}, dict(self._first.source.data)
        for block in self._axes:
            known = self._known.get(self._key(block, positions))
            if known is None:
                return None
            blocks[block], data[block] = known
        config = self._first.config.model_copy(update=blocks)
        if any(config.contradictions(data)):
            return None
        first = self._first
        return _PutTogether(config, first.source, first.file, load)

    def _key(self, block: str, positions: Sequence[int]) -> tuple[str, tuple[int, ...]]:
        return block, tuple([positions[index] for index in self._axes[block]])
