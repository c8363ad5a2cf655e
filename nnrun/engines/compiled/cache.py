"""Machine code that was made once: `<digest>.py`, the source, and `<digest>.o` in a cache folder.

The digest is over everything that the machine code depends on: the source, what it imports, the
versions of the compilers, the processor. Files appear whole or not at all, and what is damaged,
cannot be read or cannot be written is made again; processes need no lock.

LLVM and Numba are imported where they are needed: most runs of the program need neither.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

_MAGIC = b"nnrun object 1\n"
_functions: dict[str, Callable[..., None]] = {}
_lock = threading.Lock()


def folder() -> Path:
    """`NNRUN_CACHE`, or the platform's folder for caches."""
    chosen = os.environ.get("NNRUN_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path  # noqa: PLC0415 - only needed here

    return user_cache_path("nnrun", appauthor=False)


def function(source: str, dtype: str) -> Callable[..., None]:
    """The training function of this source, compiled now or some time before."""
    from nnrun.engines.compiled import machine  # noqa: PLC0415 - imports LLVM

    key = digest(source)
    with _lock:
        if key not in _functions:
            _functions[key] = machine.load(object_code(source, dtype, key))
        return _functions[key]


def object_code(source: str, dtype: str, key: str) -> bytes:
    """The object file of this source, from the cache if it has it."""
    path = folder() / "compiled" / f"{key}.o"
    code = _read(path)
    if code is None:
        code = _compile(source, dtype, path.with_suffix(".py"))
        _write(path, _MAGIC + hashlib.sha256(code).digest() + code)
    return code


def digest(source: str) -> str:
    """The key of a source."""
    return hashlib.sha256((source + _surroundings()).encode()).hexdigest()


@cache
def _surroundings() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - slow, and only needed here

    from nnrun.engines.compiled import machine  # noqa: PLC0415 - imports LLVM

    native = Path(__file__).parent / "native"
    helpers = [path.read_text(encoding="utf-8") for path in sorted(native.glob("*.py"))]
    versions = [version(package) for package in ("numba", "llvmlite", "numpy")]
    return "\n".join([*helpers, *versions, machine.processor()])


def _compile(source: str, dtype: str, path: Path) -> bytes:
    """Compile, leaving the source in the cache for people and tracebacks."""
    _write(path, source.encode())
    from nnrun.engines.compiled.native.build import build  # noqa: PLC0415 - imports Numba

    module = ModuleType(path.stem)
    exec(compile(source, str(path), "exec"), module.__dict__)
    return build(module, dtype)


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC) + hashlib.sha256().digest_size
    code = content[start:]
    whole = content[:start] == _MAGIC + hashlib.sha256(code).digest()
    return code if whole else None


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or, where that cannot be done, not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem[:8])
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
