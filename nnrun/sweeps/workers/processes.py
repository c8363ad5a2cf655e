"""Worker processes of a sweep on this machine."""

from __future__ import annotations

import warnings

from nnrun.compiler.llvm.cache import CacheWarning, has_compiled_much
from nnrun.pool import process_main
from nnrun.pool.processes import ProcessPool
from nnrun.pool.task import WorkerLostError
from nnrun.sweeps.workers import job
from nnrun.sweeps.workers.base import Workers

_MODULE = __name__


class ProcessWorkers(ProcessPool, Workers):
    """A pool of processes that train runs.

    Raises: OSError if not even one can be started.
    """

    lost = (WorkerLostError,)

    def __init__(self, workers: int) -> None:
        super().__init__(workers, _MODULE)


def main(word: str) -> None:
    """In a worker: train one run after the other."""
    assert job  # loaded before the first run arrives
    warnings.simplefilter("ignore", CacheWarning)  # the sweep has shown it
    process_main.main(word, has_compiled_much)
