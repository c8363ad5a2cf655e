"""From kernels to machine code.

A module of kernels may set the `LEVEL` of LLVM's passes. A function marked `written` writes its
code itself, as `f(module, symbol, dtype)`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.kernels import KERNELS, LOOPS, members
from nnrun.engines.compiled.language.kinds import DOUBLE, I64
from nnrun.engines.compiled.language.translator import Translator
from nnrun.engines.compiled.llvm.machine import object_file

# p, task, n, k, start, rate, scratch
ARGUMENTS = [I64.as_pointer(), I64, I64, I64, I64, DOUBLE, I64]


def build(unit: str, dtype: str) -> bytes:
    """The object file of a kernel, of a module's kernels, or of a loop (see `unit_of`)."""
    if unit in LOOPS:
        loop = getattr(_module(LOOPS[unit]), unit)
        arguments = [I64] * loop.__code__.co_argcount
        return object_file(str(Translator(loop, unit, arguments, "float64").module))
    together = members(unit)
    code = ir.Module(name=unit)
    for name in together:
        kernel = KERNELS[name]
        function = getattr(_module(kernel.module), kernel.function)
        if getattr(function, "written", False):
            function(code, name, dtype)
        else:
            Translator(function, name, ARGUMENTS, dtype, kernel.constants, code)
    level = getattr(_module(KERNELS[together[0]].module), "LEVEL", 3)
    return object_file(str(code), level=level)


def _module(name: str) -> Any:
    return import_module(f"{__package__}.{name}")
