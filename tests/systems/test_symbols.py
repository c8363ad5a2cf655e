"""Machine code for Windows: what it calls is there."""

from __future__ import annotations

import struct

import llvmlite.binding as llvm
import pytest

from nnrun.compiler import machine
from nnrun.engines.kernels import KERNELS, LOOPS, unit_of
from nnrun.engines.kernels.build import build

# Of Windows' C library, and of `symbols` in `nnrun/systems/windows.py`.
KNOWN = {"memset"} | {"_fltused", "clock_gettime", "sched_yield"}


def undefined(code: bytes) -> set[str]:
    """The names of another object file's symbols in one of Windows (COFF)."""
    _, _, _, table, count = struct.unpack_from("<HHIII", code)
    names, found, index = table + 18 * count, set(), 0
    while index < count:
        name, _, section, _, _, more = struct.unpack_from("<8sIhHBB", code, table + 18 * index)
        if section == 0:
            if not name.startswith(bytes(4)):
                found.add(name.rstrip(b"\0").decode())
            else:
                start = names + int.from_bytes(name[4:], "little")
                found.add(code[start : code.index(b"\0", start)].decode())
        index += 1 + more
    return found


def test_machine_code_for_windows_calls_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """All kernels and loops, for x86-64."""
    machine.target_machine()  # LLVM has no targets before
    windows = llvm.Target.from_triple("x86_64-pc-windows-msvc").create_target_machine(
        cpu="x86-64-v3", jit=True, codemodel="jitdefault"
    )
    monkeypatch.setattr(machine, "target_machine", lambda *_, **__: windows)
    units = {*map(unit_of, KERNELS), *LOOPS}
    assert KNOWN == set().union(*(undefined(build(unit, "float32")) for unit in units))
