"""Machine code in memory: LLVM for this processor, and an object file made callable."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm

SYMBOL = "nnrun_train"
_lock = threading.Lock()
_engines: list[Any] = []


@dataclass(frozen=True)
class Processor:
    """What object files are for, in LLVM's words: a name, and features as `+avx2,-avx512f`."""

    name: str
    features: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.features}"


@cache
def processor() -> Processor:
    """The one that this runs on."""
    return Processor(llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())


@cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def target_machine(target: Processor | None = None, effort: int = 3) -> Any:
    """LLVM's code generator for a processor, by default for the one that this runs on.

    Its `effort`, 0 to 3, is that of choosing instructions and registers.
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


def register() -> int:
    """The bytes of one of the processor's vector registers."""
    features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


def description() -> str:
    """For what machine code is made here: the processor as LLVM calls it, and its vectors."""
    return f"{processor().name}, vectors of {8 * register()} bits"


def symbols(code: bytes, names: list[str]) -> dict[str, int]:
    """Link an object file into this process; the addresses of these functions in it."""
    with _lock:
        engine = _linked(code)
        return {name: engine.get_function_address(name) for name in names}


class Function:
    """A function in memory.

    Args:
        address: where its code begins. By Numba's calling convention an error code is returned, and
            the result and the exception go to the first two pointers.
    """

    def __init__(self, address: int) -> None:
        self.address = address

    def __call__(self, *arguments: int) -> None:
        """Call it with integers and addresses; other threads run meanwhile."""
        kinds = [ctypes.c_void_p] * 2 + [ctypes.c_int64] * len(arguments)
        result, exception = ctypes.c_void_p(), ctypes.c_void_p()
        function = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(self.address)
        function(ctypes.addressof(result), ctypes.addressof(exception), *arguments)


def load(code: bytes) -> Function:
    """Link an object file into this process and return the function in it."""
    with _lock:
        return Function(_linked(code).get_function_address(SYMBOL))


def _linked(code: bytes) -> Any:
    _initialize()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)  # owns the code
    return engine
