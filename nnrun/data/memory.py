"""How much memory there is, so that data that cannot fit is refused before it is read."""

from __future__ import annotations

from pathlib import Path

import psutil

from nnrun.errors import DataError

_CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Bytes that this process could still take: the machine's, or its control group's if less."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no control group, or its limit is "max"
        return free
    return max(0, min(free, limit - used))


def refuse_if_too_big(needed: int, what: str) -> None:
    """Raise a DataError with both figures if `needed` bytes are more than there are."""
    available = available_memory()
    if needed > available:
        raise DataError(f"{what} needs {_size(needed)} of memory; {_size(available)} are free")


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
