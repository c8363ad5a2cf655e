"""Kernels to machine code.

A kernel takes its parameters by name, those of the table and of all kernels' arguments. Its module
may set the `LEVEL` of LLVM's passes.
"""

from __future__ import annotations

from importlib import import_module
from types import FunctionType
from typing import Any

from llvmlite import ir

from nnrun.compiler import compile as definitions
from nnrun.compiler.code import DOUBLE, I64
from nnrun.compiler.compile import Definition, Translator
from nnrun.compiler.machine import object_file
from nnrun.engines.kernels import KERNELS, LOOPS, members

ARGUMENTS = {
    "p": I64.as_pointer(), "task": I64, "n": I64, "k": I64, "start": I64, "rate": DOUBLE,
    "scratch": I64,
}  # fmt: skip


def build(unit: str, dtype: str) -> bytes:
    """The object file of a kernel, of a module's kernels, or of a loop (see `unit_of`)."""
    if unit in LOOPS:
        loop = getattr(_module(LOOPS[unit]), unit)
        arguments = [I64] * loop.__code__.co_argcount
        return object_file(str(Translator(loop, unit, arguments, "float64").module))
    together = members(unit)
    code = ir.Module(name=unit)
    for name in together:
        _KernelTranslator(name, dtype, code)
    level = getattr(_module(KERNELS[together[0]].module), "LEVEL", 3)
    return object_file(str(code), level=level)


class _KernelTranslator(Translator):
    """Translates a kernel of the table."""

    def __init__(self, name: str, dtype: str, module: ir.Module) -> None:
        self.kernel = KERNELS[name]
        function = getattr(_module(self.kernel.module), self.kernel.function)
        kinds = list(ARGUMENTS.values())
        super().__init__(function, name, kinds, dtype, self.kernel.constants, module)

    def given(self, function: FunctionType | Definition) -> list[Any]:
        arguments = dict(zip(ARGUMENTS, self.function.args, strict=True))
        places = {name: index for index, name in enumerate(self.kernel.parameters)}
        assert isinstance(function, FunctionType)
        return [
            arguments[name] if name in arguments else self._parameter(places[name])
            for name in definitions.of(function).parameters
        ]

    def _parameter(self, index: int) -> Any:
        p = self.function.args[0]
        return self.builder.load(self.builder.gep(p, [self.integer(index)]))


def _module(name: str) -> Any:
    return import_module(f"{__package__}.{name}")
