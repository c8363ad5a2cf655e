"""The versions that must be the same on all workers, since bits depend on them."""

from __future__ import annotations

import numpy as np

from nnrun import NUMERICS_VERSION, __version__
from nnrun.pool.task import WorkerLostError

Versions = dict[str, str]


class OtherVersionError(WorkerLostError):
    """A worker has another version, and trains nothing."""


def versions() -> Versions:
    """Those of this process."""
    return {
        "nnrun": __version__,
        "numerics of nnrun": str(NUMERICS_VERSION),
        "NumPy": np.__version__,
    }


def require_same(worker: str, found: Versions, expected: Versions) -> None:
    """Compare the versions of a worker with those of the sweep.

    Raises: OtherVersionError if they differ.
    """
    for name, version in expected.items():
        if found.get(name) != version:
            raise OtherVersionError(
                f"the worker {worker} has {name} {found.get(name)}, and this process {version}, "
                "so that bits could differ; install the same versions"
            )
