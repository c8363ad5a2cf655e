"""Opening the files that a config names, with the errors of the disk told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from nnrun.errors import DataError, NnrunError


@contextmanager
def open_data(path: Path) -> Iterator[BufferedReader]:
    """The file, open for reading bytes.

    Raises: DataError where there is no such file; NnrunError where the disk or a permission fails.
    """
    with disk_told(path), path.open("rb") as file:
        yield file


@contextmanager
def disk_told(path: Path) -> Iterator[None]:
    """Turns what goes wrong with a file into errors with its name; raises as `open_data` does."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{path}: is not a file") from error
    except OSError as error:
        raise NnrunError(f"{path}: cannot be read: {error.strerror or error}") from error


def file_sha256(path: Path) -> str:
    """What `sha256sum` prints for the file."""
    digest = hashlib.sha256()
    with open_data(path) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
