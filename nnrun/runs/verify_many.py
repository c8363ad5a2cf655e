"""Verifying many runs in several processes.

They are those of sweeps, since workers of `concurrent.futures` outlive a parent that is killed, and
at Ctrl-C they would first end the runs that they train.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnrun.errors import NnrunError
from nnrun.plugins.loading import Shipment, everything, receive
from nnrun.pool import processes as process_main
from nnrun.pool.processes import ProcessPool
from nnrun.pool.task import Channel, WorkerLostError
from nnrun.runs.record import RunResult
from nnrun.runs.storage.data_place import Given, give_again, given
from nnrun.runs.verify import Verification, verify

_WAIT_SECONDS = 0.1


def verify_all(
    folders: Sequence[Path], jobs: int, render: Callable[[RunResult], str] | None = None
) -> Iterator[Verification]:
    """Verdicts in the order of the folders, computed by `jobs` processes; `render` as in `verify`.

    Raises: UsageError if there is no complete run in one of them; NnrunError if a process was
    killed, or none can be started; OSError if likewise.
    """
    jobs = min(jobs, len(folders))
    if jobs <= 1:
        for folder in folders:
            yield verify(folder, render=render)
        return
    pool = ProcessPool(jobs, __name__)
    try:
        tasks = [_Verifying(folder, render, given(), everything()) for folder in folders]
        futures = [pool.submit(task, lambda: None) for task in tasks]
        for folder, future in zip(folders, futures, strict=True):
            while not future.done():
                pool.wait([future], _WAIT_SECONDS)
                pool.check()
            try:
                verdict: Verification | NnrunError = future.result()
            except WorkerLostError as error:
                message = f"{folder}: the process that verified it has ended"
                raise NnrunError(message) from error
            if isinstance(verdict, NnrunError):
                raise verdict
            yield verdict
    finally:
        pool.close()  # they save nothing


@dataclass(frozen=True)
class _Verifying:
    """The verification of one run, as a task of the pool."""

    folder: Path
    render: Callable[[RunResult], str] | None
    given: Given
    plugins: Shipment
    data: str = ""
    is_short: bool = False

    @property
    def key(self) -> str:
        return str(self.folder)

    def run(self, channel: Channel, data: None) -> Verification | NnrunError:
        """The verdict; or the error that `verify` raises on purpose, with its exit code."""
        give_again(self.given)
        receive(self.plugins)
        try:
            return verify(self.folder, render=self.render)
        except NnrunError as error:
            return error


def main(word: str) -> None:
    """In a process: verify one run after the other."""
    process_main.main(word)
