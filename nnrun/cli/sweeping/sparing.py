"""Garbage collection while many runs are trained."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sparing_what_is_there() -> Iterator[None]:
    """Exclude all existing objects from garbage collection: modules, plan and data.

    To look through them takes as long as tens of small runs, and it would after some hundred.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
