"""From generated source to machine code, through Numba and LLVM."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import llvmlite.binding as llvm
import numba

from nnrun.engines.compiled.machine import SYMBOL, target_machine
from nnrun.engines.compiled.native.memory import types

# A fused product is one instruction where LLVM's default of 300 counted on two.
llvm.set_option("nnrun", "-unroll-threshold-aggressive=220")


def build(module: ModuleType, dtype: str) -> bytes:
    """An object file that holds the module's `train`, under the name `SYMBOL`."""
    real = types.CPointer(getattr(types, dtype))
    double, integer = types.CPointer(types.float64), types.CPointer(types.int64)
    # As `ARGUMENTS` of `generate` has them.
    signature = types.void(
        real, real, integer, integer, double, types.int64,
        real, real, real, real, double, types.int64, real, double, types.int64,
    )  # fmt: skip
    njit: Any = numba.njit
    train = njit(signature, error_model="numpy", boundscheck=False)(module.train)
    (compiled,) = train.overloads.values()
    ir = compiled.library.get_llvm_str()
    name = compiled.fndesc.llvm_func_name
    return _emit(ir, name)


def _emit(ir: str, name: str) -> bytes:
    machine = target_machine()
    module = llvm.parse_assembly(ir)
    _keep_only(module, name)
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    builder = llvm.create_pass_builder(machine, options)
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, builder)
    left = [function.name for function in module.functions if not function.is_declaration]
    if left != [name]:
        raise RuntimeError(f"the function is not self-contained: {left}")
    module.get_function(name).name = SYMBOL
    code: Any = machine.emit_object(module)
    return bytes(code)


def _keep_only(module: Any, name: str) -> None:
    """Make everything but the function private, so that what it does not need can go.

    Numba adds wrappers that call into Python; the object must load without either.
    """
    for item in [*module.functions, *module.global_variables]:
        if not item.is_declaration and item.name != name:
            item.linkage = llvm.Linkage.internal
    module.get_function(name).linkage = llvm.Linkage.external
