"""The plugins that are loaded, and what other processes need to load the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike, environ, pathsep
from threading import RLock
from typing import Any

from nnrun.plugins import installed
from nnrun.plugins.kinds import enter, leave
from nnrun.plugins.part import Part, PluginError, Source
from nnrun.plugins.running import checked_parts, guarded, key_of, read_source, run

_lock = RLock()
_loaded: dict[str, tuple[Source, tuple[Part, ...]]] = {}
_parts: dict[str, Part] = {}


@dataclass(frozen=True)
class Shipment:
    """What another process needs to know the same parts.

    Args:
        sources: of the parts; files travel with their content.
        checks: whether gradients are checked before a run.
    """

    sources: tuple[Source, ...] = ()
    checks: bool = True


_DESCRIBED = ("kind", "name", "source", "sha256")
NO_PLUGINS = Shipment()
VARIABLE = "NNRUN_PLUGINS"
"""The environment variable with plugin files for all commands, and for Python."""


class _State:
    checks = True


def load(*files: str | PathLike[str]) -> list[Part]:
    """Load plugin files; a file that has changed since is loaded again.

    Returns:
        The parts that they register.

    Raises:
        PluginError: one cannot be loaded, with the place in it; nothing of it is registered.
    """
    return [part for file in files for part in _load(read_source(file))]


def unload(*names: str) -> None:
    """Forget plugins by the paths of their files, or the names of packages; without names, all."""
    with _lock:
        for key in list(_loaded) if not names else [key_of(name) for name in names]:
            _, parts = _loaded.pop(key, (None, ()))
            for part in parts:
                leave(part)
                del _parts[part.name]


def load_installed() -> None:
    """Load the plugins of installed packages.

    Raises: PluginError if one cannot be loaded, with the name of its package.
    """
    for package in installed.packages():
        with _lock:
            known = _loaded.get(package.key)
            if known is None or known[0].name != package.name:
                try:
                    found = guarded(package.name, None, package.load)
                    _replace(found, checked_parts(package.module, found))
                except PluginError as error:
                    message = f"{error} (pip uninstall {package.key} removes it)"
                    raise PluginError(message) from error


def digests() -> list[str]:
    """Digests of the sources of all parts that are known."""
    return [source.sha256 for source, _ in _loaded.values()]


def load_ambient() -> None:
    """Load the plugins of installed packages, and the files that `NNRUN_PLUGINS` names.

    Raises: PluginError if one cannot be loaded.
    """
    load_installed()
    load(*filter(None, environ.get(VARIABLE, "").split(pathsep)))


def find(kind: str, name: str) -> Part | None:
    """The part of a plugin with this kind and name, if there is one."""
    part = _parts.get(name)
    return part if part is not None and part.kind == kind else None


def activate(files: Iterable[str | PathLike[str]]) -> None:
    """Know the parts of these files and of installed packages, and no others.

    Raises: PluginError as for `load`.
    """
    wanted = {key_of(file): file for file in files}
    for key, (source, _) in list(_loaded.items()):
        if source.path is not None and key not in wanted:
            unload(key)
    _State.checks = True
    load_installed()
    load(*wanted.values())


def leave_unchecked() -> None:
    """Check no gradients of parts from now on."""
    _State.checks = False


def checks_gradients() -> bool:
    """Whether gradients of parts are checked before a run."""
    return _State.checks


def shipment(parts: Iterable[Part]) -> Shipment:
    """What other processes need for these parts."""
    return Shipment(tuple(dict.fromkeys(part.source for part in parts)), _State.checks)


def everything() -> Shipment:
    """What other processes need for all parts that are known here."""
    return shipment(_parts.values())


def receive(sent: Shipment) -> None:
    """Know the parts that another process has sent, in the versions that it has.

    Raises: PluginError if a package is not installed here, or differs.
    """
    if not sent.sources:
        return
    with _lock:
        _State.checks = sent.checks
        for source in sent.sources:
            known = _loaded.get(source.key)
            if known is not None and known[0].sha256 == source.sha256:
                continue
            if source.path is None:
                load_installed()
                _require(source)
            else:
                _load(source)


def _require(source: Source) -> None:
    here = _loaded.get(source.key)
    if here is None:
        raise PluginError(f"the plugin {source.name} is not installed here; {source.advice}")
    if here[0].sha256 != source.sha256:
        raise PluginError(
            f"the plugin {source.name} is another one here: SHA-256 {here[0].sha256[:10]}…, "
            f"not {source.sha256[:10]}…; install the same version everywhere"
        )


def _load(source: Source) -> list[Part]:
    with _lock:
        known = _loaded.get(source.key)
        if known is None or known[0].sha256 != source.sha256:
            _replace(source, run(source))
        return list(_loaded[source.key][1])


def _replace(source: Source, parts: Sequence[Part]) -> None:
    """Enter the parts in place of those that this source had before; all of them or none."""
    before = _loaded.get(source.key)
    unload(source.key)
    entered: list[Part] = []
    try:
        for part in parts:
            enter(part, _parts)
            entered.append(part)
            _parts[part.name] = part
    except PluginError:
        for part in entered:
            leave(part)
            del _parts[part.name]
        if before is not None:
            _replace(*before)
        raise
    _loaded[source.key] = source, tuple(parts)


def require(stored: Any) -> None:
    """Require that the parts of a stored run or model are known, in any version.

    Raises: PluginError that names the first which is not, and its plugin.
    """
    for part in _described(stored):
        if find(part["kind"], part["name"]) is None:
            source = part["source"]
            path = source if source.endswith(".py") else None
            advice = Source(source, "", path).advice
            what = f"the {part['kind']} '{part['name']}' of the plugin {source}"
            raise PluginError(f"needs {what}, which is not loaded; {advice}")


def changed(stored: Any) -> dict[str, tuple[str, str]]:
    """The plugins of these parts that have changed: their SHA-256 then and now, by name."""
    found = {}
    for part in _described(stored):
        known = find(part["kind"], part["name"])
        if known is not None and known.source.sha256 != part["sha256"]:
            found[part["source"]] = part["sha256"], known.source.sha256
    return found


def _described(stored: Any) -> list[dict[str, str]]:
    """The entries that have the form of descriptions; files may be anyone's."""
    return [
        part
        for part in (stored if isinstance(stored, list) else [])
        if isinstance(part, dict) and all(isinstance(part.get(key), str) for key in _DESCRIBED)
    ]
