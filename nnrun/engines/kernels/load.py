"""Machine code of kernels in this process: from the cache, or compiled now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import cache as memo
from pathlib import Path

from nnrun.compiler import cache
from nnrun.engines.kernels import KERNELS, LOOPS, members, unit_of

_lock = threading.Lock()
_addresses: dict[tuple[str, str, str], int] = {}


def addresses(
    names: Iterable[str], dtype: str, wait: Callable[[str], None] = lambda text: None
) -> dict[str, int]:
    """Addresses of the code of these kernels, for numbers of this type.

    `wait` is called before any are compiled.
    """
    from nnrun.compiler import machine  # noqa: PLC0415 - imports LLVM

    names = list(names)
    with _lock:
        new = [name for name in names if _key(name, dtype) not in _addresses]
        for unit, code in object_code(new, dtype, wait).items():
            together = machine.symbols(code, members(unit))
            _addresses.update({_key(name, dtype): place for name, place in together.items()})
        return {name: _addresses[_key(name, dtype)] for name in names}


def _key(name: str, dtype: str) -> tuple[str, str, str]:
    """A kernel of a plugin may change while this process runs."""
    own = name in LOOPS or name in KERNELS.keys()  # noqa: SIM118  # without those of plugins
    return name, dtype, "" if own else repr(KERNELS[name])


def object_code(
    names: Iterable[str], dtype: str, wait: Callable[[str], None] = lambda text: None
) -> dict[str, bytes]:
    """The object files of these kernels, by what they are compiled with."""

    def build(unit: str) -> bytes:
        from nnrun.engines.kernels.build import build  # noqa: PLC0415 - imports LLVM

        return build(unit, dtype)

    announced: list[str] = []

    def once(text: str) -> None:
        if not announced:
            wait(text)
        announced.append(text)

    return {
        unit: cache.kept(
            _digest(unit, dtype),
            lambda unit=unit: build(unit),  # type: ignore[misc]
            once,
            "compiling kernels, once for all networks",
        )
        for unit in sorted({unit_of(name) for name in names})
    }


def _digest(unit: str, dtype: str) -> str:
    table = [repr(KERNELS[name]) for name in members(unit) if name in KERNELS]
    return cache.digest("\n".join([unit, dtype, *table, _sources()]))


@memo
def _sources() -> str:
    folder = Path(__file__).parent
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
