"""Where the data of a stored run are: no folder of its author is stored.

A stored config has the path from the run's folder to a data file in the folder of the results
folder or below it, and of any other file the name. Such a file is found beside the config, among
the files that a command was given, or by its SHA-256 in a list of this user's cache.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nnrun.data.readers.formats import GIVEN
from nnrun.errors import UsageError
from nnrun.runs.storage.files import read_regular, write_atomically

INSIDE = "data"
"""The folder beside a run's files in a packed run that holds its data."""
PACKED = ".packed"
"""A file in the folder of an unpacked run's experiment: data elsewhere are not looked at."""

_MOST_BYTES = 1 << 14
# What commands were given with --data: files and folders by the digest of the data, or folders.
_given: dict[str, Path] = {}


def stored_config(config: Mapping[str, Any], folder: Path, sha256: str) -> dict[str, Any]:
    """A config as plain values in the form in which the folder of its run stores it."""
    path = path_of(config)
    if path is None or not os.path.isabs(path):
        return dict(config)
    data, own = Path(os.path.abspath(path)), folder.absolute()
    project = own.parents[2] if len(own.parents) > 2 else own
    if data.is_relative_to(project) and not _holds_homes(project):
        return _with_path(config, Path(os.path.relpath(data, own)).as_posix())
    with suppress(OSError):  # a list that cannot be kept costs an argument --data later
        _remember(sha256, data)
    return _with_path(config, data.name)


def usable_config(config: Mapping[str, Any], folder: Path, sha256: str) -> dict[str, Any]:
    """A stored config as plain values, with the path at which its data are now, if they are."""
    path = path_of(config)
    if path in (None, GIVEN):
        return dict(config)
    packed = (folder.absolute().parents[1] / PACKED).exists()
    name = Path(path.replace("\\", "/")).name
    places = [] if packed else [folder / path, folder / name]
    tried = [_given.get(sha256), *places, folder / INSIDE / name, _known(sha256)]
    there = (place for place in tried if place is not None and os.path.exists(place))
    found = next(there, folder / name)
    return _with_path(config, os.path.abspath(found))


def give(paths: Iterable[Path]) -> dict[str, Path]:
    """Look for data in these files from now on, by their content; returns them by SHA-256.

    Raises: UsageError if one does not exist; DataError if it cannot be read.
    """
    from nnrun.data.readers.opening import file_sha256  # noqa: PLC0415  # slow to import

    found = {}
    for path in paths:
        if not path.is_file():
            raise UsageError(f"--data {path}: there is no such file")
        found[file_sha256(path)] = path.absolute()
    _given.update(found)
    return found


def give_known(found: Mapping[str, Path]) -> None:
    """Look for data in files whose SHA-256 is known."""
    _given.update(found)


def given() -> dict[str, Path]:
    """The files that were given, by SHA-256."""
    return dict(_given)


def without_folders(text: str, config: Mapping[str, Any]) -> str:
    """A text for a stored file without the folders of data, working folder, nnrun and user."""
    path, own = path_of(config), Path(__file__).parents[3]
    data = [] if path is None else [str(Path(path).parent)]
    places = dict.fromkeys((*data, os.getcwd(), str(own), sys.prefix, sys.base_prefix), "")
    places[str(Path.home())] = "~" + os.sep
    for place in sorted(places, key=len, reverse=True):
        if place != os.path.dirname(place):  # the root is everywhere
            text = text.replace(place + os.sep, places[place])
    return text


def path_of(config: Mapping[str, Any]) -> str | None:
    """The path of the data file in a config as plain values; None where there is none."""
    block = config.get("dataset")
    path = block.get("path") if isinstance(block, Mapping) else None
    return path if isinstance(path, str) and path and "\0" not in path else None


def _with_path(config: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {**config, "dataset": {**config["dataset"], "path": path}}


def _holds_homes(project: Path) -> bool:
    """Whether the folders below it may be named after people."""
    return project == project.parent or project in Path.home().parents


def _list() -> Path:
    from nnrun.systems.caches import cache_folder  # noqa: PLC0415  # needed for data elsewhere only

    return cache_folder() / "data"


def _remember(sha256: str, data: Path) -> None:
    place = _list()
    place.mkdir(parents=True, exist_ok=True)
    known = place / sha256
    if _known(sha256) != data:
        write_atomically(known, os.fsencode(data))


def _known(sha256: str) -> Path | None:
    if not (len(sha256) == 64 and sha256.isalnum()):
        return None
    try:
        return Path(os.fsdecode(read_regular(_list() / sha256, _MOST_BYTES)))
    except (OSError, ValueError):
        return None
