"""Plugins of installed packages: their entry points of the group `nnrun.plugins`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.plugins.part import PluginError, Source

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

GROUP = "nnrun.plugins"


@dataclass(frozen=True)
class Package:
    """An installed package with a plugin.

    Args:
        key: its name.
        version: of it.
        module: that its entry point names, which registers parts.
    """

    key: str
    version: str
    module: str

    @property
    def name(self) -> str:
        """Name of the package in messages."""
        return f"{self.key} {self.version}"

    def load(self) -> Source:
        """Import the module, with the digest of all modules of its package."""
        import_module(self.module)
        return Source(self.name, _digest(self.module))


def packages() -> tuple[Package, ...]:
    """Installed packages with plugins, by name.

    Raises: PluginError if the entry points of a package cannot be read.
    """
    return _packages(tuple(sys.path))


@cache
def _packages(places: tuple[str, ...]) -> tuple[Package, ...]:
    found: dict[str, Package] = {}
    with_entries = [*_with_entries(places)]
    if not with_entries:
        return ()
    from importlib.metadata import distributions  # noqa: PLC0415  # slow to import

    for distribution in distributions(path=with_entries):
        key = distribution.metadata["Name"]
        try:
            modules = [point.module for point in _points(distribution)]
        except (AssertionError, AttributeError, TypeError, ValueError) as error:
            # Which of them depends on the version of the standard library.
            says = "its entry_points.txt is not well-formed"
            message = f"{key} {distribution.version}: {says} (pip uninstall {key} removes it)"
            raise PluginError(message) from error
        for module in modules:
            found.setdefault(key, Package(key, distribution.version, module))
    return tuple(found[key] for key in sorted(found))


def _points(distribution: Distribution) -> Iterator[EntryPoint]:
    return (point for point in distribution.entry_points if point.group == GROUP)


def _with_entries(places: tuple[str, ...]) -> Iterator[str]:
    """The places where a package has the group: `importlib.metadata` would take 40 ms, this 2."""
    for place in places:
        if any(_names_group(entry.path) for entry in _metadata(place)):
            yield place


def _metadata(place: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(place or ".") as entries:
            yield from (e for e in entries if e.name.endswith((".dist-info", ".egg-info")))
    except OSError:
        return


def _names_group(folder: str) -> bool:
    try:
        with open(f"{folder}/entry_points.txt", "rb") as file:
            return f"[{GROUP}]".encode() in file.read()
    except OSError:
        return False


def _digest(module: str) -> str:
    """Over a module that is a file, as for plugin files; or over all files of its package."""
    top = sys.modules[module.partition(".")[0]]
    folders = [Path(folder) for folder in getattr(top, "__path__", [])]
    if not folders:
        return sha256(Path(top.__file__ or "").read_bytes()).hexdigest()
    whole = sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            content = file.read_bytes()
            whole.update(f"{file.relative_to(folder).as_posix()} {len(content)}\n".encode())
            whole.update(content)
    return whole.hexdigest()
