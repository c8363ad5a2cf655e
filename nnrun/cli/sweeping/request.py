"""The options of `nnrun sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnrun.errors import UsageError
from nnrun.sweeps.planning.shard import WHOLE, Shard
from nnrun.trackers.addresses import Trackers


@dataclass(frozen=True)
class Request:
    """The options of the command."""

    results: Path
    seeds: int | None
    max_runs: int
    iterations: int | None
    jobs: int | None
    threads: int | None
    dask: str | None
    recursive: bool
    order_by: str | None
    margin: float | None
    beside: str | None
    replication: bool
    reference: Path | None
    shard: Shard
    force: bool
    fail_fast: bool
    trackers: Trackers

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            UsageError: two of them do.
        """
        if self.dask is not None and self.jobs is not None:
            raise UsageError("--jobs is for processes on this machine, and --dask for a cluster")
        if self.dask is not None and not self.dask.strip():
            raise UsageError(
                "--dask needs the address of a scheduler, such as tcp://127.0.0.1:8786"
            )
        if self.reference is not None and not self.replication:
            raise UsageError(
                "--reference says what --replication holds our means against; add that"
            )
        if self.replication and self.shard != WHOLE:
            raise UsageError(
                "--replication is about all runs; add it to the command without --shard"
            )
