"""How much memory there is, so that data that cannot fit is refused before it is read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from nnrun.errors import DataError

# The limit of a control group and what it uses, in its two versions.
_CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def available_memory() -> int:
    """Bytes that this process could still take: the machine's, or its control group's if less."""
    left = [int(psutil.virtual_memory().available)]
    for limit, used in _CGROUPS:
        # No group of this version, or its limit is "max".
        with suppress(OSError, ValueError):
            left.append(int(limit.read_text()) - int(used.read_text()))
    return max(0, min(left))


def refuse_if_too_big(needed: int, what: str) -> None:
    """Raise a DataError with both figures if `needed` bytes are more than there are."""
    available = available_memory()
    if needed > available:
        raise DataError(f"{what} needs {_size(needed)} of memory; {_size(available)} are free")


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
