"""This process: its cores, the folder of caches, garbage collection."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# When Python looks for garbage.


@contextmanager
def not_collected() -> Iterator[None]:
    """Look for no garbage while many objects are made that stay: it would take a fifth of the time.

    Other threads' garbage waits as well. It is a decorator, too.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# How many processor cores there are, and how many threads a run may use.


def cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(asked: int | None, jobs: int = 1) -> int:
    """The number asked for; by default the share of the cores of one of `jobs` runs at a time."""
    return max(1, cores() // jobs) if asked is None else asked


# The folder of this user's caches.


def cache_folder() -> Path:
    """`NNRUN_CACHE`, or the platform's folder for caches."""
    chosen = os.environ.get("NNRUN_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path  # noqa: PLC0415 - only needed here

    return user_cache_path("nnrun", appauthor=False)
