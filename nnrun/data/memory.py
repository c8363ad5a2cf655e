"""The free memory, so that data that cannot fit is refused before it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TypeVar

from nnrun.errors import DataError

Some = TypeVar("Some", bound=Sized)

STEP = 1 << 26
"""After so many bytes of rows that are kept, it is asked whether there is room for more."""
_MORE, _BESIDE = 4, 32  # steps; bytes for each row: its target, and where it is
_MEMORY, _AVAILABLE = Path("/proc/meminfo"), "MemAvailable:"
_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
# For cgroups of version 2 and 1, by controller: their folder, and the files of limit and use.
_VERSIONS = {
    "": (".", "memory.max", "memory.current"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def available_memory() -> int:
    """The bytes that this process can still allocate: the machine's, or its cgroups' if less."""
    left = [_available_in_machine()]
    for limit, used in _limits():
        # No group of this version, or its limit is "max".
        with suppress(OSError, ValueError):
            left.append(int(limit.read_text()) - int(used.read_text()))
    return max(0, min(left))


def _available_in_machine() -> int:
    with suppress(OSError, StopIteration):
        lines = _MEMORY.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(_AVAILABLE))
    import psutil  # noqa: PLC0415  # slow to import

    return int(psutil.virtual_memory().available)


def _limits() -> Iterator[tuple[Path, Path]]:
    """The files with limit and use of this process's cgroups and their parents."""
    for controller, (folder, limit, used) in _VERSIONS.items():
        for group in _groups(controller):
            place = _ROOT / folder / group
            yield place / limit, place / used


def _groups(controller: str) -> list[PurePosixPath]:
    """This process's cgroup and its parents; in a container it may be the root."""
    own = PurePosixPath()
    with suppress(OSError, ValueError):
        for line in _OWN.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(",") and ".." not in path.split("/"):
                own = PurePosixPath(path.lstrip("/"))
    return [own, *own.parents]


def refuse_if_too_big(needed: int, what: str) -> None:
    """Raise a DataError with both figures if `needed` bytes are more than are free."""
    available = available_memory()
    if needed > available:
        raise DataError(f"{what} needs {_size(needed)} of memory; {_size(available)} are free")


def while_there_is_room(
    parts: Iterable[Some], size: Callable[[Some], int], what: str
) -> Iterator[Some]:
    """Pass parts of rows on; raise a DataError before they fill the memory.

    How many rows a compressed file has is not known before.

    Args:
        parts: some rows each.
        size: returns the bytes of a part that are kept.
        what: the file.
    """
    rows = taken = 0
    for part in parts:
        rows, taken = rows + len(part), taken + size(part)
        if taken >= STEP:
            more = f"{what}, of which {rows:,} rows are read,"
            refuse_if_too_big(_MORE * STEP + _BESIDE * rows, more)
            taken = 0
        yield part


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
