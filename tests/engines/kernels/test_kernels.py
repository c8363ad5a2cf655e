"""The kernels' language, and the table of kernels."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from nnrun.compiler.code import LanguageError
from nnrun.compiler.translator import Translator
from nnrun.engines import allocation
from nnrun.engines.kernels import KERNELS, Kernel, load, scratch
from nnrun.engines.kernels.build import ARGUMENTS
from nnrun.engines.kernels.primitives import evaluated, pointer

KINDS = [ARGUMENTS[name] for name in ("task", "n", "rate")]
PLACE = "nnrun.engines.kernels."


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_takes_what_the_table_lists(name: str) -> None:
    """A kernel takes all parameters of the table, and a loss its settings by name."""
    kernel = KERNELS[name]
    taken = inspect.signature(_function(kernel)).parameters.keys() - ARGUMENTS.keys()
    assert {*kernel.parameters} == {*taken, *kernel.constants.get("names", ())}


@pytest.mark.parametrize("name", KERNELS)
def test_who_uses_scratch_memory_says_how_much(name: str) -> None:
    """A kernel has pieces in the table if and only if it takes the memory."""
    kernel = KERNELS[name]
    assert (kernel.scratch is not None) == (
        "scratch" in inspect.signature(_function(kernel)).parameters
    )


def _function(kernel: Kernel) -> Any:
    return getattr(import_module(PLACE + kernel.module), kernel.function)


def unknown(task, n, rate):  # type: ignore[no-untyped-def]
    x = pointer(task)
    x[0] = task if n > 0 else rate


def lambdas(task, n, rate):  # type: ignore[no-untyped-def]
    return [task for _ in range(n)]


@pytest.mark.parametrize("function", [unknown, lambdas])
def test_what_is_not_in_the_language(function: Any) -> None:
    """What cannot be translated is refused with its file and line."""
    line = inspect.getsourcelines(function)[1]
    with pytest.raises(
        LanguageError, match=rf"test_kernels\.py:{line + 1 + (function is unknown)}:"
    ):
        Translator(function, "kernel", KINDS, "float64")


def mixture(x, y, count):  # type: ignore[no-untyped-def]
    """Loops, branches, selections, whole-number arithmetic."""
    x, y = pointer(x), pointer(y)
    total = 0
    for i in range(0, count, 2):
        if i % 4 == 0 and not (i >= 8 and i <= 8):
            total += i // 3
        else:
            total -= 1
    while total > 100:
        total = total - 7
    for i in range(3):
        y[i] = x[i] * 2.0 + min(x[0], x[1]) if x[i] < 2.5 else evaluated("-x", "x", x[i])
    y[3] = total
    left, right = x[0], x[1]
    left, right = right, left
    (y + 4)[0] = left - right


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_language_means_what_python_means(dtype: str, monkeypatch: Any) -> None:
    """A kernel computes what Python makes of the same source."""
    monkeypatch.setitem(KERNELS, "mixture", Kernel("primitives", "mixture", ("x", "y", "count")))
    monkeypatch.setattr("nnrun.engines.kernels.primitives.mixture", mixture, raising=False)
    x, y = np.array([1.5, 0.5, 3.0], dtype), np.zeros(5, dtype)
    values = {"x": x.ctypes.data, "y": y.ctypes.data, "count": 41}
    kernel_function("mixture", dtype)(values, 0, 1)
    total = sum(i // 3 if i % 4 == 0 and i != 8 else -1 for i in range(0, 41, 2))
    while total > 100:
        total -= 7
    assert [3.5, 1.5, -3.0, total, -1.0] == y.tolist()


def kernel_function(name: str, dtype: str) -> Callable[..., None]:
    """A kernel to be called from Python, as tests do: `f(parameters, task, n, k, start, rate)`."""
    place = load.addresses([name], dtype)[name]
    integer, real = ctypes.c_int64, ctypes.c_double
    function = ctypes.CFUNCTYPE(None, *[integer] * 5, real, integer)(place)

    def call(
        parameters: dict[str, int], task: int, n: int, k: int = 0, start: int = 0, rate: float = 0.0
    ) -> None:
        values: Any = [parameters[key] for key in KERNELS[name].parameters]
        array = (integer * len(values))(*values)
        known = {**parameters, "n": n, "itemsize": int(dtype[-2:]) // 8}
        held = allocation.unwritten(scratch.total(KERNELS[name].pieces(known)), "uint8")
        function(ctypes.addressof(array), task, n, k, start, rate, held.ctypes.data)

    return call
