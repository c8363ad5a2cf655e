"""What a board of a part of a sweep says about the rest, so that it can be made again later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from nnrun.config.names import is_name
from nnrun.runs.identity import is_run_id
from nnrun.sweeps.board.comparison.statistics import AS_WRITTEN
from nnrun.sweeps.planning.shard import Shard
from nnrun.sweeps.progress import SweepProgress


@dataclass(frozen=True)
class PlannedRow:
    """The ids of the runs of one setting; `first` is the index of the first, from which its shard
    follows.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    name: str
    choice: dict[str, Any]
    first: int
    runs: Sequence[str]


@dataclass(frozen=True)
class Unfinished:
    """A sweep with some runs that are not in the results folder.

    Args:
        shard: that the board was made after, such as `2/3`.
        runs: of the whole sweep.
        missing: how many of them are not there.
        shards: which shards have missing runs.
        rows: the settings in the order of the plan.
    """

    __pydantic_config__: ClassVar = AS_WRITTEN

    shard: str
    runs: int
    missing: int
    shards: Sequence[int]
    rows: Sequence[PlannedRow]

    @classmethod
    def of(cls, progress: SweepProgress, shard: Shard) -> Self | None:
        """What is left of a whole sweep after this shard; None if nothing is."""
        rows, ended, known = [], set[str](), progress.ended_places()
        portions = sorted(progress.plan.portions(), key=lambda portion: portion[1].number)
        for start, variant, some in portions:
            runs = [*some]
            ended |= {run.key for run in runs if run.place in known}
            ids = [run.run_id for run in runs]
            rows.append(PlannedRow(variant.name, variant.choice, start, ids))
        return cls(str(shard), 0, 0, (), rows).without(ended)

    def require_sound(self) -> None:
        """Raise a ValueError or UsageError if it names no runs, as from a file that was changed."""
        if not all(is_name(row.name) and all(map(is_run_id, row.runs)) for row in self.rows):
            raise ValueError("a row names no run")
        Shard.parse(self.shard)

    def keys(self) -> Iterator[tuple[str, int]]:
        """`name/run id` of each run of the sweep, and the number of its shard."""
        of = Shard.parse(self.shard).of
        for row in self.rows:
            for at, run_id in enumerate(row.runs, row.first):
                yield f"{row.name}/{run_id}", at % of + 1

    def without(self, ended: Set[str]) -> Self | None:
        """The same with other runs that have ended; None if all have."""
        shard_of = dict(self.keys())
        left = shard_of.keys() - ended
        if not left:
            return None
        shards = sorted({shard_of[key] for key in left})
        return type(self)(self.shard, len(shard_of), len(left), shards, self.rows)
