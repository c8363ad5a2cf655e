"""Objects and translated functions for tests."""

from __future__ import annotations

import ctypes
from hashlib import sha256
from typing import Any

import numpy as np

from nnrun.compiler import cache, machine
from nnrun.compiler.code import I64, REAL
from nnrun.compiler.compile import Translator, compile_source
from nnrun.compiler.machine import Processor

# Object files of generated functions, which later test runs find in the cache.


def compiled_for(target: Processor, source: str, dtype: str) -> bytes:
    """A source's object file for a processor."""
    key = sha256(f"{target} {dtype} {cache.digest(source)}".encode()).hexdigest()

    def compile_() -> bytes:
        return compile_source(source, dtype, "train.py", target)

    return cache.kept(key, compile_, lambda text: None, "")


# Functions of the language, to be called with arrays.


def run(function: Any, *arrays: np.ndarray) -> None:
    """Call f(*pointers, n), with n the length of the last array.

    `real` is what the last array of floating-point numbers holds.
    """
    kinds = {"int64": I64, **REAL}
    types = [kinds[array.dtype.name].as_pointer() for array in arrays]
    dtype = next((a.dtype.name for a in arrays[::-1] if a.dtype.name in REAL), "float64")
    translator = Translator(function, "translated", [*types, I64], dtype)
    for argument in translator.function.args[: len(arrays)]:
        argument.add_attribute("noalias")
    code = machine.object_file(str(translator.module))
    place = machine.symbols(code, ["translated"])["translated"]
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * (len(arrays) + 1))(place)
    call(*(array.ctypes.data for array in arrays), len(arrays[-1]))
