"""Place of a stored run's data: no folder of its author is stored.

A stored config has the path from the run's folder to data beside the results folder, or in a folder
beside it, and of any other data the name. Such a file is found beside the config, among
the files that a command was given, or by its SHA-256 in a list of this user's cache.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nnrun.data.readers.opening import GIVEN
from nnrun.errors import UsageError
from nnrun.runs.storage.durable import read_regular, write_atomically
from nnrun.systems import system

INSIDE = "data"
"""The folder beside a run's files in a packed run that holds its data."""
PACKED = ".packed"
"""A file in the folder of an unpacked run's experiment: data elsewhere are not looked at."""

_MOST_BYTES = 1 << 14
# What commands were given with --data: files by their SHA-256, and folders.
_given: dict[str, Path] = {}
_folders: list[Path] = []


def stored_config(config: Mapping[str, Any], folder: Path, sha256: str) -> dict[str, Any]:
    """A config as plain values in the form in which the folder of its run stores it."""
    path = path_of(config)
    if path is None or not os.path.isabs(path):
        return dict(config)
    data, own = Path(os.path.abspath(path)), folder.absolute()
    with suppress(OSError):  # a list that cannot be kept costs an argument --data later
        _remember(sha256, data)
    project = own.parents[2] if len(own.parents) > 2 else own
    beside = data.parent.parent == project and not _is_shared(project, data.parent)
    if data.parent == project or beside:
        return _with_path(config, Path(os.path.relpath(data, own)).as_posix())
    return _with_path(config, data.name)


def usable_config(config: Mapping[str, Any], folder: Path, sha256: str) -> dict[str, Any]:
    """A stored config as plain values, with the path at which its data are now, if they are."""
    path = path_of(config)
    if path is None:
        return dict(config)
    packed = (folder.absolute().parent.parent / PACKED).exists()
    name = Path(path.replace("\\", "/")).name
    places = [] if packed else [folder / path, folder / name]
    folders = [place for root in _folders for place in (root / name, root)]
    tried = [_given.get(sha256), *folders, *places, folder / INSIDE / name, _known(sha256)]
    there = (place for place in tried if place is not None and os.path.exists(place))
    found = next(there, folder / name)
    return _with_path(config, os.path.abspath(found))


def give(paths: Iterable[Path]) -> None:
    """Look for data in these files, by their content, and folders, by their name, from now on.

    Raises: UsageError if one does not exist; DataError if it cannot be read.
    """
    from nnrun.data.readers.opening import file_sha256  # noqa: PLC0415  # slow to import

    for path in paths:
        if path.is_dir():
            _folders.append(path.absolute())
        elif path.is_file():
            _given[file_sha256(path)] = path.absolute()
        else:
            raise UsageError(f"--data {path}: there is no such file or folder")


Given = tuple[dict[str, Path], list[Path]]


def given() -> Given:
    """What was given: files by SHA-256, and folders; for other processes."""
    return dict(_given), list(_folders)


def give_again(found: Given) -> None:
    """Look for data in what was given in another process."""
    files, folders = found
    _given.update(files)
    _folders.extend(place for place in folders if place not in _folders)


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
    """The path of the data in a config as plain values; None where they are no file or folder."""
    found: Any = config
    for key in _key_of(config):
        found = found.get(key) if isinstance(found, Mapping) else None
    is_path = isinstance(found, str) and found not in ("", GIVEN) and "\0" not in found
    return found if is_path else None


def _key_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    block = config.get("dataset")
    images = isinstance(block, Mapping) and block.get("images") is not None
    return ("dataset", "images", "folder") if images else ("dataset", "path")


def _with_path(config: Mapping[str, Any], path: str) -> dict[str, Any]:
    *outer, last = _key_of(config)
    found: dict[str, Any] = dict(config)
    block = found
    for key in outer:
        block[key] = dict(block[key])
        block = block[key]
    block[last] = path
    return found


def _is_shared(project: Path, folder: Path) -> bool:
    """Whether the folders in it, such as this one, may be named after people."""
    home = Path.home()
    at_top = project.parent == Path(project.anchor)  # as /home, /data or /scratch
    if at_top or project in home.parents or folder.name == home.name:
        return True
    with suppress(OSError):
        return system.is_shared(project) or system.is_shared(folder)
    return False


def _list() -> Path:
    from nnrun.systems.process import cache_folder  # noqa: PLC0415  # needed for data elsewhere only

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
