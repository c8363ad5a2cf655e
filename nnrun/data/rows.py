"""Arrays that are mapped from a file or made block by block, and free memory for them."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import suppress
from dataclasses import dataclass, replace
from io import FileIO
from math import prod
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from nnrun.errors import DataError
from nnrun.nn.signature import Array
from nnrun.systems import system

# Arrays that are mapped from a file, also large ones that are made block by block.

LARGE = 1 << 26
"""Bytes from which on an array is in a temporary file."""


class _Mapping(mmap.mmap):
    """A file that is mapped for reading, with its state then, to notice changes."""

    path: Path | None
    state: tuple[int, int, int]


def map_array(
    path: Path | None, file: IO[bytes], offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array | None:
    """The array at an offset of an open file, read-only; None where the system cannot map it.

    Without a path, no other process has the file.
    """
    with suppress(OSError, ValueError):
        mapping = _Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
        mapping.path, mapping.state = path, _state(os.fstat(file.fileno()))
        return np.ndarray(shape, dtype, buffer=mapping, offset=offset)
    return None


def is_mapped(array: Array) -> bool:
    """Whether an array is mapped from a file."""
    return _mapping_of(array) is not None


def check_unchanged(array: Array) -> None:
    """Raise a DataError if the file that an array is mapped from has been written to."""
    mapping = _mapping_of(array)
    if mapping is None or mapping.path is None:
        return
    try:
        now = _state(mapping.path.stat())
    except OSError:
        return  # removed or replaced: the mapping has the content that was there
    if now[0] == mapping.state[0] and now != mapping.state:
        raise DataError(f"{mapping.path}: has changed while it was in use; start again")


def release(array: Array) -> None:
    """Free the memory of a mapped array; pages that are needed again are read from the file."""
    mapping = _mapping_of(array)
    if mapping is not None:
        system.forget_pages(mapping)


def _mapping_of(array: Array) -> _Mapping | None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, _Mapping) else None


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def kept(shape: tuple[int, ...], dtype: npt.DTypeLike, blocks: Iterable[Array]) -> Array:
    """An array of blocks of rows, which are taken one after the other.

    A large one is mapped from a temporary file without a name, which ends with the array or the
    process. It is read-only. Where there is no room for such a file, the array is in memory.
    """
    dtype = np.dtype(dtype)
    size = dtype.itemsize * prod(shape)
    file = _file_of(size) if size >= LARGE else None
    if file is None:
        return _filled(np.empty(shape, dtype), blocks)
    with file:
        return _in_file(file, shape, dtype, blocks)


def _file_of(size: int) -> FileIO | None:
    """A file without a name; None unless there is room for twice as many bytes."""
    with suppress(OSError):
        if shutil.disk_usage(tempfile.gettempdir()).free >= 2 * size:
            opened: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # its caller closes it
            file: FileIO = opened  # or on Windows a wrapper around one
            return file
    return None


def _in_file(
    file: FileIO, shape: tuple[int, ...], dtype: np.dtype[Any], blocks: Iterable[Array]
) -> Array:
    for block in blocks:
        _all_of(np.ascontiguousarray(block, dtype), file.write)
    mapped = map_array(None, file, 0, shape, dtype)
    if mapped is not None:
        return mapped
    array = np.empty(shape, dtype)
    file.seek(0)
    _all_of(array, file.readinto)
    return array


def _all_of(rows: Array, move: Callable[[memoryview], int]) -> None:
    """Write rows to a file, or read them: each call does a part."""
    bytes_left = rows.reshape(-1).view(np.uint8).data
    while bytes_left:
        bytes_left = bytes_left[move(bytes_left) :]


def _filled(array: Array, blocks: Iterable[Array]) -> Array:
    start = 0
    for block in blocks:
        array[start : start + len(block)] = block
        start += len(block)
    return array


# Raw rows that are read in blocks, so that no split is a copy of its rows; and equal ones.

Places = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]

# The numbers of a block.
_BLOCK = 1 << 17


def block_rows(shape: tuple[int, ...]) -> int:
    """The rows of a block, for rows of this shape."""
    return max(1, _BLOCK // max(1, prod(shape)))


def array_blocks(values: Array) -> Iterator[Array]:
    """Views of an array, a block of rows each; a mapped one does not stay in memory."""
    check_unchanged(values)
    step = block_rows(values.shape[1:])
    for start in range(0, len(values), step):
        yield values[start : start + step]
        release(values)


def all_finite(values: Array) -> bool:
    """Whether all numbers of an array are finite."""
    return all(np.isfinite(block).all() for block in array_blocks(values))


class View(Protocol):
    """What the rows of a table are turned into."""

    @property
    def features(self) -> int:
        """How many there are then."""

    def __call__(self, x: Array, rows: Places) -> Array:
        """These rows, with their numbers, as (rows, features)."""


@dataclass(frozen=True, eq=False)
class RawRows:
    """Rows of one or more arrays, in an order of their own.

    Args:
        parts: arrays (rows, *shape), whose rows are numbered through.
        rows: the numbers of these rows.
        view: what the rows are turned into when they are read, if they are.
    """

    parts: tuple[Array, ...]
    rows: Places
    view: View | None = None

    @classmethod
    def of(cls, *parts: Array) -> RawRows:
        """All rows of these arrays."""
        return cls(parts, np.arange(sum(map(len, parts))))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.parts[0].shape[1:] if self.view is None else (self.view.features,)

    def take(self, places: Places) -> RawRows:
        """The rows at these places."""
        return replace(self, rows=self.rows[places])

    def all(self) -> Array:
        """All rows as an array."""
        return self.between(0, len(self))

    def between(self, start: int, stop: int) -> Array:
        """Rows from one place to another, as a new array."""
        return self._read(self.rows[start:stop])

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """All rows in their order: the places of a block, and its rows."""
        self._check()
        step = block_rows(self.shape)
        for start in range(0, len(self), step):
            yield slice(start, start + step), self.between(start, start + step)
        self._release()

    def as_stored(self) -> Iterator[tuple[Places, Array]]:
        """All rows in the order of the arrays: the places of a block, and its rows.

        What has been read of a mapped file does not stay in memory.
        """
        self._check()
        order, step = np.argsort(self.rows, kind="stable"), block_rows(self.shape)
        for start in range(0, len(self), step):
            places = order[start : start + step]
            yield places, self._read(self.rows[places])
            self._release()

    def features(self, places: range, of: Callable[[Array], Array] = lambda x: x) -> Array:
        """Some features of all rows of a table, or what a function makes of them: (rows, ...)."""
        every = slice(places.start, places.stop)
        if self.view is not None:
            return np.concatenate([of(x[:, every]) for _, x in self.blocks()])
        columns = RawRows(tuple(part[:, every] for part in self.parts), self.rows)
        return np.concatenate([of(x) for _, x in columns.blocks()])

    def _read(self, rows: Places) -> Array:
        first, *others = self.parts
        if not others:
            found = first[rows]
        else:
            bounds = np.cumsum([0, *map(len, self.parts)])
            found = np.empty((len(rows), *first.shape[1:]), np.result_type(*self.parts))
            for part, low, high in zip(self.parts, bounds[:-1], bounds[1:], strict=True):
                here = (rows >= low) & (rows < high)
                found[here] = part[rows[here] - low]
        return found if self.view is None else self.view(found, rows)

    def _check(self) -> None:
        for part in self.parts:
            check_unchanged(part)

    def _release(self) -> None:
        for part in self.parts:
            release(part)


def equal_rows(parts: Sequence[Array], y: Array) -> npt.NDArray[np.intp] | None:
    """A number for each row, the same for equal rows of x and y; None if all rows differ.

    The arrays of `parts`, one after the other, are x. Rows count as equal if their 64-bit hashes
    are: among a million different rows, two have the same hash with a probability of 3e-8.
    """
    hashes = _hashes(parts, y)
    ordered = np.sort(hashes)
    is_new = ordered[1:] != ordered[:-1]
    if is_new.all():
        return None
    # In place, and sorted twice, as there may be many rows: `np.unique` takes twice the memory.
    ordered[:1], ordered[1:] = 0, is_new
    np.cumsum(ordered, out=ordered)
    hashes[np.argsort(hashes)] = ordered
    return hashes.astype(np.intp, copy=False)


def _hashes(parts: Sequence[Array], y: Array) -> Words:
    """The hash of each row of x and y."""
    x, targets = RawRows.of(*parts), y.reshape(len(y), -1)
    integers = all(part.dtype == np.uint8 for part in parts)
    hashes = np.zeros(len(x), np.uint64)
    for places, values in x.as_stored():
        for seed, numbers in enumerate((values, targets[places])):
            words = _words(numbers.reshape(len(places), -1), integers or seed == 1)
            hashes[places] += _mixed(words, _factors(words.shape[1], seed))
    return hashes


def _words(values: Array, integers: bool) -> Words:
    """The bits of rows as 64-bit words."""
    if values.dtype == np.uint8 and integers:
        values = np.pad(values, ((0, 0), (0, -values.shape[1] % 8)))
    elif values.dtype.kind == "f" or not integers:
        values = values.astype(np.float64) + 0.0  # -0.0 is 0.0
    else:
        values = values.astype(np.int64)
    return np.ascontiguousarray(values).view(np.uint64)


def _factors(count: int, seed: int) -> Words:
    drawn = np.random.default_rng(seed).integers(0, 1 << 64, count, np.uint64, endpoint=False)
    return drawn | np.uint64(1)


def _mixed(words: Words, factors: Words) -> Words:
    """The hashes of rows: multiply-shift of every word, summed."""
    mixed = words ^ (words >> np.uint64(32))
    mixed *= factors
    mixed ^= mixed >> np.uint64(29)
    hashes: Words = mixed.sum(axis=1, dtype=np.uint64)
    return hashes


# The free memory, so that data that cannot fit is refused before it is read.

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
