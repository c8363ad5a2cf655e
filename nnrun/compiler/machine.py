"""Machine code in memory: LLVM for this processor, and an object file made callable."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from nnrun.compiler.arguments import ARGUMENTS
from nnrun.systems import system

# Above this number of instructions loops are not unrolled; LLVM's 300 is slower for generated
# functions.
llvm.set_option("nnrun", "-unroll-threshold-aggressive=220")

SYMBOL = "nnrun_train"
_lock = threading.Lock()
_kernels: list[Any] = []


@dataclass(frozen=True)
class Processor:
    """What object files are for, in LLVM's words: a name, and features as `+avx2,-avx512f`."""

    name: str
    features: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.features}"


@cache
def processor() -> Processor:
    """The processor of this machine."""
    return Processor(llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())


@cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name, address in system.symbols().items():
        llvm.add_symbol(name, address)


def target_machine(target: Processor | None = None, effort: int = 3) -> Any:
    """LLVM's code generator for a processor, by default for the one that this runs on.

    `effort`, 0 to 3, is spent on choosing instructions and registers.
    """
    _initialize()
    target = target or processor()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=target.name,
        features=target.features,
        opt=effort,
        jit=True,
        codemodel="jitdefault",
    )


def object_file(code: str, target: Processor | None = None, level: int = 3) -> bytes:
    """Machine code of LLVM code, after the passes of a level.

    Level 1 only moves variables into registers.
    """
    # Code in vectors gains nothing from more effort, which takes a tenth longer.
    machine = target_machine(target, effort=3 if level > 1 else 1)
    # LLVM's global context would keep the constants of all code until the process ends.
    parsed = llvm.parse_assembly(code, llvm.create_context())
    parsed.triple, parsed.data_layout = machine.triple, str(machine.target_data)
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    builder = llvm.create_pass_builder(machine, options)
    if level > 1:
        passes = builder.getModulePassManager()
        passes.run(parsed, builder)
    else:
        passes = llvm.create_new_function_pass_manager()
        passes.add_sroa_pass()
        for function in parsed.functions:
            if not function.is_declaration:
                passes.run(function, builder)
    # It is not called when they are garbage: llvmlite's classes inherit an empty one first.
    llvm.NewPassManager._dispose(passes)
    passes.detach()
    emitted: Any = machine.emit_object(parsed)
    return bytes(emitted)


def register() -> int:
    """The bytes of one of the processor's vector registers."""
    features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


@cache
def description() -> str:
    """The target of machine code here: LLVM's name of the processor, and its vectors."""
    return f"{processor().name}, vectors of {8 * register()} bits"


def symbols(code: bytes, names: list[str]) -> dict[str, int]:
    """Link an object file into this process for good; the addresses of these functions in it."""
    with _lock:
        engine = _linked(code)
        _kernels.append(engine)
        return {name: engine.get_function_address(name) for name in names}


_PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(ARGUMENTS))


class Function:
    """A function in memory, which is freed together with this object."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine  # owns the code
        self.address = engine.get_function_address(SYMBOL)
        self._callable = _PROTOTYPE(self.address)

    def __call__(self, *arguments: int) -> None:
        """Call it with integers and addresses, without the GIL."""
        self._callable(*arguments)


def load(code: bytes) -> Function:
    """Link an object file into this process and return the function in it."""
    with _lock:
        return Function(_linked(code))


def _linked(code: bytes) -> Any:
    _initialize()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine
