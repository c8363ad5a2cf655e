"""The options of `nnrun sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnrun.cli.training import TrainingRequest
from nnrun.errors import UsageError
from nnrun.sweeps.planning.shard import WHOLE, Shard


@dataclass(frozen=True)
class Request(TrainingRequest):
    """The options of the command."""

    seeds: int | None
    max_runs: int
    recursive: bool
    order_by: str | None
    margin: float | None
    beside: str | None
    replication: bool
    reference: Path | None
    shard: Shard
    force: bool
    fail_fast: bool

    def check(self) -> None:
        super().check()
        if self.reference is not None and not self.replication:
            raise UsageError(
                "--reference says what --replication holds our means against; add that"
            )
        if self.replication and self.shard != WHOLE:
            raise UsageError(
                "--replication is about all runs; add it to the command without --shard"
            )
