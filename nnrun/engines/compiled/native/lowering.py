"""Numba's front half: from a function of Python to LLVM's code, as yet unoptimised.

Numba would optimise and translate every function by itself, for the processor it runs on, and add
wrappers for Python. Here it only says what a function means; `build` does the rest, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
from numba import _dynfunc as untyped_dynfunc  # type: ignore[attr-defined]  # made of C
from numba.core import codegen as untyped_codegen
from numba.core import registry as untyped_registry
from numba.core.compiler_lock import global_compiler_lock

OPTIONS = {
    "error_model": "numpy",
    "boundscheck": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}
_codegen: Any = untyped_codegen
_dynfunc: Any = untyped_dynfunc
_lock: Any = global_compiler_lock
_registry: Any = untyped_registry


def lower(function: Any, signature: Any) -> tuple[str, str]:
    """The code of a function with all that it calls, and the function's name in it."""
    njit: Any = numba.njit
    with _lock, _front_half():
        (compiled,) = njit(signature, **OPTIONS)(function).overloads.values()
        compiled.library.finalize()
    return str(compiled.library._final_module), compiled.fndesc.llvm_func_name


class _Library(_codegen.JITCodeLibrary):  # type: ignore[misc]
    """Collects code, and leaves it as it is."""

    def _optimize_functions(self, ll_module: Any) -> None:
        pass

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


def _never_called(library: Any, fndesc: Any, env: Any) -> Any:
    """What Numba takes for the machine code of a function, of which there is none."""
    return _dynfunc.make_function(fndesc.lookup_module(), fndesc.qualname, "", 1, env, (library,))


@contextmanager
def _front_half() -> Iterator[None]:
    """Meanwhile what is compiled is only lowered: it cannot be called."""
    context: Any = _registry.cpu_target.target_context
    generator = context.codegen()
    generator._library_class, context.get_executable = _Library, _never_called
    try:
        yield
    finally:
        del generator._library_class, context.get_executable
