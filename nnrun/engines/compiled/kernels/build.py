"""From kernels to machine code.

A module of kernels may say the `LEVEL` of the passes of LLVM that they need; a function that is
`written` writes its code itself, as `f(module, symbol, dtype)`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from nnrun.engines.compiled.kernels import KERNELS, LOOPS, members
from nnrun.engines.compiled.language.translator import DOUBLE, I64, Translator
from nnrun.engines.compiled.machine import target_machine

# p, task, n, k, start, rate, scratch
ARGUMENTS = [I64.as_pointer(), I64, I64, I64, I64, DOUBLE, I64]


def build(unit: str, dtype: str) -> bytes:
    """The object file of a kernel, of a module's kernels, or of a loop (see `unit_of`)."""
    if unit in LOOPS:
        loop = getattr(_module(unit), unit)
        arguments = [I64] * loop.__code__.co_argcount
        return _emit(Translator(loop, unit, arguments, "float64").module)
    together = members(unit)
    code = ir.Module(name=unit)
    for name in together:
        kernel = KERNELS[name]
        function = getattr(_module(kernel.module), kernel.function)
        if getattr(function, "written", False):
            function(code, name, dtype)
        else:
            Translator(function, name, ARGUMENTS, dtype, kernel.constants, code)
    return _emit(code, getattr(_module(KERNELS[together[0]].module), "LEVEL", 3))


def _module(name: str) -> Any:
    return import_module(f"{__package__}.{name}")


def _emit(code: ir.Module, level: int = 3) -> bytes:
    """Machine code by LLVM's passes of a level; 0: by none."""
    # What is written by hand gains nothing from more effort, which takes a tenth longer.
    machine = target_machine(effort=3 if level else 1)
    parsed = llvm.parse_assembly(str(code))
    parsed.verify()
    if level:
        options = llvm.create_pipeline_tuning_options(speed_level=level)
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(parsed, builder)
    made: Any = machine.emit_object(parsed)
    return bytes(made)
