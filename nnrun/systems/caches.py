"""The folder of this user's caches."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`NNRUN_CACHE`, or the platform's folder for caches."""
    chosen = os.environ.get("NNRUN_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path  # noqa: PLC0415 - only needed here

    return user_cache_path("nnrun", appauthor=False)
