"""The cache of machine code: files that only this user can have written.

Checks are made on the opened file, since a name may point to another file a moment later.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import secrets
import stat
import threading
import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.systems import system
from nnrun.systems.process import cache_folder
from nnrun.unfinished import undone_on_failure

if TYPE_CHECKING:
    from nnrun.compiler.machine import Function


OTHERS_WRITE = 0o022
OTHERS_READ = 0o044


class NotPrivateError(Exception):
    """A file or folder belongs to others, or others can change it; the message begins with it."""


def read(folder: Path, name: str, *, forbidden: int = OTHERS_WRITE) -> bytes | None:
    """The content of a file, or None if it does not exist.

    `forbidden` are permissions that the file must not have.

    Raises:
        NotPrivateError: the file, or the folder, could be somebody else's.
        OSError: it cannot be read.
    """
    with closing(_opened(folder)) as opened:
        try:
            descriptor = opened.open(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotPrivateError(f"{folder / name}: is a link; remove it") from None
            raise
        try:
            _demand(os.fstat(descriptor), folder / name, forbidden, kind=stat.S_ISREG)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)


def write(folder: Path, name: str, content: bytes, *, replace: bool = True) -> None:
    """Write a file whole or not at all, for this user alone.

    Without `replace` an existing file stays.

    Raises:
        NotPrivateError: the folder could be somebody else's.
        OSError: it cannot be written.
    """
    with closing(_opened(folder)) as opened:
        temporary = f"{name[:8]}{secrets.token_hex(8)}"

        def remove() -> None:
            with suppress(FileNotFoundError):
                opened.unlink(temporary)

        with undone_on_failure(remove):
            with os.fdopen(opened.create(temporary, 0o600), "wb") as file:
                file.write(content)
            if replace:
                opened.replace(temporary, name)
            else:
                with suppress(FileExistsError):
                    opened.link(temporary, name)
                remove()


def prune(folder: Path, most: int) -> None:
    """Remove the files written first, until all have at most this many bytes together."""
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another process has removed it
                found.append((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path))
    excess = sum(size for _, size, _ in found) - most
    for _, size, path in sorted(found):
        if excess <= 0:
            break
        with suppress(FileNotFoundError, PermissionError):  # Windows keeps one that is being read
            os.unlink(path)
        excess -= size


def _opened(folder: Path) -> system.Folder:
    """The folder, once it is known to be ours."""
    _make(folder)
    opened = system.Folder(folder, follow=False)
    try:
        _demand(opened.stat(), folder, OTHERS_WRITE, kind=stat.S_ISDIR)
    except BaseException:
        opened.close()
        raise
    return opened


def _make(folder: Path) -> None:
    """Make a folder and those above it, for this user alone, with any umask."""
    if not folder.is_dir():
        _make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(0o700)


def _demand(
    state: os.stat_result, path: Path, forbidden: int, *, kind: Callable[[int], bool]
) -> None:
    if not kind(state.st_mode):
        raise NotPrivateError(f"{path}: is no regular file; remove it")
    if fault := system.permission_fault(state, forbidden):
        raise NotPrivateError(f"{path}: {fault}")


# Cached machine code: `<digest>.py`, the source, and `<digest>.o` in a cache folder.
#
# The digest covers everything that the machine code depends on: the source, its imports, the
# language, the versions of LLVM and NumPy, the processor. Files are written
# atomically; a damaged or unreadable file is compiled again. No locks are needed.
#
# Machine code is run unchecked, so it is only loaded from files that no other user can write, and
# that are signed with this user's key: files from an archive, for example, are not.
#
# LLVM and the compiler are imported late: most commands do not need them.

_MAGIC = b"nnrun object 2\n"
_SIGNATURE, _SECRET = "sha256", "cache.key"
_SECRET_BYTES = 32
# The functions used last, for networks that are trained again.
_functions: dict[str, Function] = {}
_MOST_FUNCTIONS = 64
# A function that was compiled leaves about 50 KB until the process ends, most of it in LLVM.
_MOST_COMPILED = 256
_compiled = 0
_MOST_BYTES = 256 * 2**20
_lock = threading.Lock()


class CacheWarning(UserWarning):
    """The cache cannot be used, and why."""


def function(source: str, dtype: str, wait: Callable[[str], None] = lambda text: None) -> Function:
    """The training function of this source, from the cache or compiled now.

    `wait` is called before it is compiled.
    """
    from nnrun.compiler import machine  # noqa: PLC0415 - imports LLVM

    key = digest(source)
    with _lock:
        found = _functions.pop(key, None)
        if found is None:
            found = machine.load(object_code(source, dtype, key, wait))
        _functions[key] = found
        if len(_functions) > _MOST_FUNCTIONS:
            del _functions[next(iter(_functions))]
        return found


def has_compiled_much() -> bool:
    """Whether a new process would save memory."""
    return _compiled >= _MOST_COMPILED


def object_code(
    source: str, dtype: str, key: str, wait: Callable[[str], None] = lambda text: None
) -> bytes:
    """The object file of this source, from the cache if it has it."""
    place = cache_folder() / "compiled"

    def compile_() -> bytes:
        with suppress(OSError, NotPrivateError):  # for readers and tracebacks
            write(place, f"{key}.py", source.encode())
        return _compile(source, dtype, place / f"{key}.py")

    return kept(key, compile_, wait, "compiling, once for this architecture")


def kept(
    key: str, compile_: Callable[[], bytes], wait: Callable[[str], None], announced: str
) -> bytes:
    """The object file of this key, from the cache, or compiled and stored.

    `key` is a digest of all that the machine code depends on; `wait` is called with `announced`
    before anything is compiled.
    """
    place, name = cache_folder() / "compiled", f"{key}.o"
    try:
        secret = _secret()
        code = _verified(read(place, name), secret, key)
    except (OSError, NotPrivateError) as error:
        message = f"machine code is made anew and not kept: {_reason(error)}"
        # With the same location for all callers, Python shows the warning once.
        warnings.warn(message, CacheWarning, stacklevel=1)
        wait("compiling")
        return compile_()
    if code is None:
        wait(announced)
        code = compile_()
        with suppress(OSError, NotPrivateError):
            if key.startswith("0"):  # of digests one in 16, so that it takes no time
                prune(place, _MOST_BYTES)
            write(place, name, _MAGIC + _signature(code, secret, key) + code)
    return code


def digest(source: str) -> str:
    """The key of a source."""
    return hashlib.sha256((source + _surroundings()).encode()).hexdigest()


@cache
def _surroundings() -> str:
    import llvmlite  # noqa: PLC0415 - imports LLVM
    import numpy  # noqa: PLC0415 - only needed here

    from nnrun.compiler import machine  # noqa: PLC0415 - imports LLVM
    from nnrun.nn import special  # noqa: PLC0415 - imports NumPy

    compiler = Path(__file__).parent
    engines = compiler.parent / "engines"
    paths = [path for path in compiler.glob("*.py") if path != Path(__file__)]
    names = ("functions.py", "formulas.py", "kernels/loops.py")
    paths += [*(engines / name for name in names), Path(special.__file__)]
    helpers = [path.read_text(encoding="utf-8") for path in sorted(paths)]
    versions = [llvmlite.__version__, numpy.__version__]
    return "\n".join([*helpers, *versions, str(machine.processor())])


def _compile(source: str, dtype: str, path: Path) -> bytes:
    global _compiled  # noqa: PLW0603  # of this process
    from nnrun.compiler.compile import compile_source  # noqa: PLC0415 - slow to import

    _compiled += 1
    return compile_source(source, dtype, str(path))


def _verified(content: bytes | None, secret: bytes, key: str) -> bytes | None:
    """The object file in what the cache holds, or None if its signature is wrong."""
    if content is None:
        return None
    start = len(_MAGIC) + hashlib.new(_SIGNATURE).digest_size
    code = content[start:]
    ours = hmac.compare_digest(content[:start], _MAGIC + _signature(code, secret, key))
    return code if ours else None


def _signature(code: bytes, secret: bytes, key: str) -> bytes:
    return hmac.digest(secret, key.encode() + code, _SIGNATURE)


def _secret() -> bytes:
    """This user's signing key; created if there is no usable one."""
    from platformdirs import user_state_path  # noqa: PLC0415 - only needed here

    place = user_state_path("nnrun", appauthor=False)
    forbidden = OTHERS_WRITE | OTHERS_READ
    secret = read(place, _SECRET, forbidden=forbidden)
    if secret is None or len(secret) != _SECRET_BYTES:
        # If two processes come here together, both use the first one's key.
        write(place, _SECRET, secrets.token_bytes(_SECRET_BYTES), replace=secret is not None)
        secret = read(place, _SECRET, forbidden=forbidden)
    return secret or b""


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror or error}"
    return str(error)
