"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from nnrun import unfinished
from nnrun.data.readers.opening import open_sink
from nnrun.runs.storage.staged import Staged, commit, is_temporary, temporary_name
from nnrun.systems import system

_IN_MEMORY = 2**24  # bytes of output that are held in memory
# The random part of names of files that are held while they are written: longer than that of
# others, which another process may be writing.
_HELD_BYTES = 6


def read_regular(path: Path, most: int | None = None) -> bytes:
    """The content of a regular file, of `most` bytes at most; an OSError for all else."""
    with open(path, "rb", opener=lambda *_: os.open(path, system.READ)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        if most is not None and found.st_size > most:
            raise OSError(errno.EFBIG, "it is far too large", str(path))
        return file.read()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file; where that fails, the old one is untouched."""
    with written_whole(path) as file:
        file.write(content)


def write_together(
    folder: Path, contents: dict[str, bytes], opened: system.Folder | None = None
) -> None:
    """Write files, so that where the last of them is, all are there.

    Raises: OSError if the disk is full, or the folder not writable; some old files may be replaced.
    """
    staged = Staged(folder, contents, opened)
    commit([staged])
    staged.conclude()


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder and its parents; remove them again if the block fails."""
    lacking = lacking_folders(folder)
    with unfinished.undone_on_failure(lambda: remove_empty(lacking)):
        folder.mkdir(parents=True, exist_ok=True)
        yield


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for this user alone, which is removed at the end of the block."""
    import shutil  # noqa: PLC0415  # as below
    import tempfile  # noqa: PLC0415

    folder = Path(tempfile.gettempdir(), f"nnrun-{os.urandom(8).hex()}")

    def remove() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    with unfinished.undone_on_failure(remove):
        folder.mkdir(0o700)
        yield folder
        remove()


def lacking_folders(folder: Path) -> list[Path]:
    """The folder and its parents, as far as they are not there."""
    return [place for place in (folder, *folder.parents) if not os.path.lexists(place)]


def remove_empty(places: Sequence[Path]) -> None:
    """Remove these folders, a folder before its parents, up to the first that is not empty."""
    with suppress(OSError):  # another process has written there, or none was made
        for place in places:
            place.rmdir()


@contextmanager
def written_whole(path: Path, *, replace: bool = True) -> Iterator[BinaryIO]:
    """A file to write piece by piece; it replaces the old one at the end, if the block succeeds.

    A pipe or device gets all content at the end, too. What a process that was killed has left of
    such a file is removed.

    Raises: FileExistsError if there is such a file, and it is not to be replaced; DataError if it
    is a FIFO that may have no reader.
    """
    if replace and path.exists() and not path.is_file():
        with open_sink(path) as file, kept_back(file) as held:
            yield held
        return
    temporary = path.with_name(temporary_name(path.name, _HELD_BYTES))

    def remove() -> None:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)

    with (
        unfinished.undone_on_failure(remove),
        _named_errors(temporary, path),
        closing(system.Folder(path.parent)) as folder,
        ExitStack() as holding,
    ):
        _remove_abandoned(folder, path.name)
        while True:
            file = holding.enter_context(temporary.open("xb"))
            holding.enter_context(system.held(file.fileno()))
            if temporary.exists():  # no other process took it for abandoned before
                break
        yield file
        file.flush()
        system.force(file.fileno())
        file.close()
        if replace:
            folder.replace(temporary.name, path.name)
        else:
            folder.link(temporary.name, path.name)
            folder.unlink(temporary.name)
        folder.sync()


def _remove_abandoned(folder: system.Folder, name: str) -> None:
    """Remove temporary files of this one that no process holds any more."""
    alike = temporary_name(name, _HELD_BYTES)
    for other in folder.names():
        if is_temporary(other) and other.startswith(f".{name}.") and len(other) == len(alike):
            folder.remove_unheld(other)


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises: FileExistsError if it is; OSError if the disk is full, or the folder not writable.
    """
    with written_whole(path, replace=False) as file:
        file.write(text.encode())


@contextmanager
def kept_back(sink: BinaryIO) -> Iterator[BinaryIO]:
    """A file to write piece by piece; its content goes to `sink` if the block succeeds.

    Large contents are kept in a temporary file, not in memory.
    """
    import shutil  # noqa: PLC0415  # reading a run needs neither
    import tempfile  # noqa: PLC0415

    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as held:
        folder = Path(tempfile.gettempdir())
        with _named_errors(folder, folder):
            yield cast(BinaryIO, held)
        held.seek(0)
        shutil.copyfileobj(held, sink)


@contextmanager
def _named_errors(temporary: Path, path: Path) -> Iterator[None]:
    """Put the final file's name into errors of the disk, in place of none or a temporary one."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise


def has_leftovers(folder: Path) -> bool:
    """Whether an interrupted write has left temporary files."""
    return any(map(is_temporary, os.listdir(folder)))


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of interrupted writes; the folder must be locked."""
    for name in filter(is_temporary, os.listdir(folder)):
        (folder / name).unlink(missing_ok=True)


_ATTEMPTS = 100


def acquire(path: Path, *, wait: bool) -> system.Folder | None:
    """Lock a folder, making it if needed; None if another process has it and `wait` is false."""
    attempts = 0
    while True:
        try:
            path.mkdir(parents=True, exist_ok=True)
            folder = system.Folder(path)
        except (FileNotFoundError, FileExistsError):  # its last holder has just removed it
            attempts += 1
            if attempts == _ATTEMPTS:  # or nothing can be made there
                raise
            continue
        try:
            if not folder.lock(wait=wait):
                folder.close()
                return None
            if folder.is_in_place:
                return folder
        except BaseException:
            folder.close()
            raise
        folder.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a folder, waiting until it is free."""
    folder = acquire(path, wait=True)
    try:
        yield
    finally:
        if folder is not None:
            folder.close()
