"""Loading plugins: files that are named, and installed packages.

A file is read once: what is run is what the digest is of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from os import PathLike, path
from pathlib import Path
from threading import RLock
from traceback import extract_tb
from types import ModuleType

from nnrun.data.readers.opening import fault_of
from nnrun.plugins import installed
from nnrun.plugins.kinds import check, enter, leave
from nnrun.plugins.part import Part, PluginError, Source
from nnrun.plugins.registering import forget, registered

_lock = RLock()
_loaded: dict[str, tuple[Source, tuple[Part, ...]]] = {}
_parts: dict[str, Part] = {}
_files: set[str] = set()
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Shipment:
    """What another process needs to know the same parts.

    Args:
        sources: of the parts; files travel with their content.
        checks: whether gradients are checked before a run.
    """

    sources: tuple[Source, ...] = ()
    checks: bool = True


NO_PLUGINS = Shipment()


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


def read(file: str | PathLike[str]) -> list[Part]:
    """The parts of a file, which is run, but whose parts do not become known.

    Raises: PluginError as for `load`.
    """
    return _run(read_source(file))


def unload(*names: str) -> None:
    """Forget plugins by the paths of their files, or the names of packages; without names, all."""
    with _lock:
        for key in list(_loaded) if not names else [_key(name) for name in names]:
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
                    found = _guarded(package.name, None, package.load)
                    _replace(found, _checked(package.module, found))
                except PluginError as error:
                    message = f"{error} (pip uninstall {package.key} removes it)"
                    raise PluginError(message) from error


def digests() -> list[str]:
    """Of the sources of all parts that are known."""
    return [source.sha256 for source, _ in _loaded.values()]


def find(kind: str, name: str) -> Part | None:
    """The part of a plugin with this kind and name, if there is one."""
    part = _parts.get(name)
    return part if part is not None and part.kind == kind else None


def activate(files: Iterable[str | PathLike[str]]) -> None:
    """Know the parts of these files and of installed packages, and no others.

    Raises: PluginError as for `load`.
    """
    wanted = {_key(file): file for file in files}
    for key, (source, _) in list(_loaded.items()):
        if source.path is not None and key not in wanted:
            unload(key)
    _State.checks = True
    load_installed()
    load(*wanted.values())


def is_source(file: str) -> bool:
    """Whether parts were registered in this file."""
    return file in _files


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


def read_source(file: str | PathLike[str]) -> Source:
    """The content of a plugin file.

    Raises: PluginError if it is no Python file, or cannot be read.
    """
    place = Path(file)
    if place.suffix != ".py":
        raise PluginError(f"{place}: a plugin is a Python file, like mylayer.py")
    try:
        fault = fault_of(place)
        if fault is not None:
            raise PluginError(f"{place} {fault}")
        with place.open("rb") as opened:
            code = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise PluginError(f"{place}: {error.strerror or error}") from None
    if len(code) > _MOST_BYTES:
        raise PluginError(f"{place}: larger than 1 MB, which is no plugin")
    return Source(place.name, sha256(code).hexdigest(), _key(file), code)


def _key(file: str | PathLike[str]) -> str:
    name = str(file)
    return path.abspath(name) if name.endswith(".py") else name


def _load(source: Source) -> list[Part]:
    with _lock:
        known = _loaded.get(source.key)
        if known is None or known[0].sha256 != source.sha256:
            _replace(source, _run(source))
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


def _run(source: Source) -> list[Part]:
    """Run a file as a module of its own, and return the parts that it registers."""
    assert source.path is not None
    stem = "".join(c if c.isalnum() else "_" for c in Path(source.path).stem)
    name = f"nnrun_plugin_{stem}_{source.sha256[:8]}"
    forget(name)
    module = ModuleType(name)
    module.__file__ = source.path

    def execute() -> Source:
        sys.modules[name] = module
        code = compile(source.code, source.path or "", "exec", dont_inherit=True)
        exec(code, module.__dict__)
        return source

    try:
        _guarded(source.name, source.path, execute)
        return _checked(name, source)
    except PluginError:
        sys.modules.pop(name, None)
        raise


def _checked(module: str, source: Source) -> list[Part]:
    parts = [
        Part(one.kind, one.name, one.entry, source, place_of(one.file, one.line), one.options)
        for one in registered(module)
    ]
    _files.update(one.file for one in registered(module))
    if not parts:
        example = '@register("layer", "squash") before a class'
        raise PluginError(f"{source.name}: registers no part; it needs {example}")
    for part in parts:
        check(part)
    return parts


def _guarded(name: str, file: str | None, execute: Callable[[], Source]) -> Source:
    """Run the code of a plugin; its errors name the line."""
    try:
        return execute()
    except PluginError:
        raise
    except SyntaxError as error:
        place = place_of(error.filename or name, error.lineno or 1)
        raise PluginError(f"{place}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        lines = [frame for frame in extract_tb(error.__traceback__) if frame.filename == file]
        place = place_of(file, lines[-1].lineno or 1) if file and lines else name
        advice = ""
        if isinstance(error, ModuleNotFoundError):
            advice = "; what a plugin imports has to be installed"
        message = f"{place}: {type(error).__name__}: {error}{advice}"
        raise PluginError(message) from error


def place_of(file: str, line: int) -> str:
    """A line of a file, relative to the working folder if it is in there."""
    with suppress(ValueError):  # on another drive
        near = path.relpath(file)
        file = near if not near.startswith("..") else file
    return f"{file}:{line}"
