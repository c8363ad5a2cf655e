"""From generated source to machine code, through Numba and LLVM."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import llvmlite.binding as llvm

from nnrun.engines.compiled.arguments import ARGUMENTS
from nnrun.engines.compiled.machine import SYMBOL, Processor, target_machine
from nnrun.engines.compiled.native.lowering import lower
from nnrun.engines.compiled.native.memory import types

# A fused product is one instruction where LLVM's default of 300 counted on two.
llvm.set_option("nnrun", "-unroll-threshold-aggressive=220")


def lowered(module: ModuleType, dtype: str) -> tuple[str, str]:
    """LLVM's code of the module's `train`, and its name there: the same for every processor.

    Args:
        module: made of generated source.
        dtype: of its numbers.
    """
    arguments = []
    for kind in ARGUMENTS.values():
        name, pointer, _ = kind.partition("*")
        number = getattr(types, dtype if name == "real" else name)
        arguments.append(types.CPointer(number) if pointer else number)
    return lower(module.train, types.void(*arguments))


def emitted(ir: str, name: str, processor: Processor | None = None) -> bytes:
    """An object file that holds this function under the name `SYMBOL`, by default for this CPU."""
    machine = target_machine(processor)
    module = llvm.parse_assembly(ir)
    module.data_layout = str(machine.target_data)
    _keep_only(module, name)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    # What is to be done side by side is in loops; in straight lines it costs more than it gives.
    options.loop_vectorization, options.slp_vectorization = True, False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    left = [function.name for function in module.functions if not function.is_declaration]
    if left != [name]:
        raise RuntimeError(f"the function is not self-contained: {left}")
    module.get_function(name).name = SYMBOL
    code: Any = machine.emit_object(module)
    return bytes(code)


def _keep_only(module: Any, name: str) -> None:
    """Make everything but the function private, so that what it does not need can go."""
    for item in [*module.functions, *module.global_variables]:
        if not item.is_declaration and item.name != name:
            item.linkage = llvm.Linkage.internal
    module.get_function(name).linkage = llvm.Linkage.external
