"""Running the code of a plugin: a file is read once, and what is run is what its digest is of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from hashlib import sha256
from os import PathLike, path
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from nnrun.data.readers.opening import fault_of, open_named
from nnrun.plugins.kinds import check, forget, registered
from nnrun.plugins.part import Part, PluginError, Source

_MOST_BYTES = 1 << 20
_files: set[str] = set()


def read(file: str | PathLike[str]) -> list[Part]:
    """The parts of a file, which is run, but whose parts do not become known.

    Raises: PluginError as for `load`.
    """
    return run(read_source(file))


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
        with open_named(place) as opened:
            code = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise PluginError(f"{place}: {error.strerror or error}") from None
    if len(code) > _MOST_BYTES:
        raise PluginError(f"{place}: larger than 1 MB, which is no plugin")
    return Source(place.name, sha256(code).hexdigest(), key_of(file), code)


def key_of(file: str | PathLike[str]) -> str:
    """What tells a file, or a package by its name, from others."""
    name = str(file)
    return path.abspath(name) if name.endswith(".py") else name


def run(source: Source) -> list[Part]:
    """Run a file as a module of its own, and return the parts that it registers."""
    assert source.path is not None
    stem = "".join(c if c.isalnum() else "_" for c in Path(source.path).stem)
    name = f"nnrun_plugin_{stem}_{source.sha256[:8]}"
    forget(name)
    module = ModuleType(name)
    module.__file__ = source.path
    vars(module)["print"] = _print

    def execute() -> Source:
        sys.modules[name] = module
        code = compile(source.code, source.path or "", "exec", dont_inherit=True)
        exec(code, module.__dict__)
        return source

    try:
        guarded(source.name, source.path, execute)
        return checked_parts(name, source)
    except PluginError:
        sys.modules.pop(name, None)
        raise


def checked_parts(module: str, source: Source) -> list[Part]:
    """The parts that a module, or a package, has registered.

    Raises: PluginError if there is none, or one is wrong.
    """
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


def guarded(name: str, file: str | None, execute: Callable[[], Source]) -> Source:
    """Run the code of a plugin, whose text goes to stderr; its errors name the line."""
    try:
        with redirect_stdout(sys.stderr):
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


def _print(*values: object, file: Any = None, **options: Any) -> None:
    """`print` of a plugin: to stderr, since stdout has results, as with --json."""
    print(*values, file=sys.stderr if file is None else file, **options)


def place_of(file: str, line: int) -> str:
    """A line of a file, relative to the working folder if it is in there."""
    with suppress(ValueError):  # on another drive
        near = path.relpath(file)
        file = near if not near.startswith("..") else file
    return f"{file}:{line}"


def is_source(file: str) -> bool:
    """Whether parts were registered in this file."""
    return file in _files


def describe_fault(error: BaseException) -> str | None:
    """The error with its place in a plugin; None if it was raised elsewhere."""
    frames = [frame for frame in extract_tb(error.__traceback__) if is_source(frame.filename)]
    if not frames:
        return None
    place = place_of(frames[-1].filename, frames[-1].lineno or 1)
    if isinstance(error, NotImplementedError) and not str(error):
        return f"{place}: it is not written yet"
    says = f": {error}" if str(error) else ""
    return f"{place}: {type(error).__name__}{says}"
