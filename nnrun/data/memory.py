"""How much memory there is, so that data that cannot fit is refused before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import psutil

from nnrun.errors import DataError

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
# By the controller that names it: where groups of a version lie, their limit, and what they use.
_VERSIONS = {
    "": (".", "memory.max", "memory.current"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def available_memory() -> int:
    """Bytes that this process could still take: the machine's, or its control groups' if less."""
    left = [int(psutil.virtual_memory().available)]
    for limit, used in _limits():
        # No group of this version, or its limit is "max".
        with suppress(OSError, ValueError):
            left.append(int(limit.read_text()) - int(used.read_text()))
    return max(0, min(left))


def _limits() -> Iterator[tuple[Path, Path]]:
    """The limits of this process's groups and of those that they lie in, with what each uses."""
    for controller, (folder, limit, used) in _VERSIONS.items():
        for group in _groups(controller):
            place = _ROOT / folder / group
            yield place / limit, place / used


def _groups(controller: str) -> list[PurePosixPath]:
    """This process's group and those that it lies in; within a container, that may be the root."""
    own = PurePosixPath()
    with suppress(OSError, ValueError):
        for line in _OWN.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(",") and ".." not in path.split("/"):
                own = PurePosixPath(path.lstrip("/"))
    return [own, *own.parents]


def refuse_if_too_big(needed: int, what: str) -> None:
    """Raise a DataError with both figures if `needed` bytes are more than there are."""
    available = available_memory()
    if needed > available:
        raise DataError(f"{what} needs {_size(needed)} of memory; {_size(available)} are free")


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
