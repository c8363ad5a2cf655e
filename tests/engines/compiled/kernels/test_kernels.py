"""The kernels' language, and the table of kernels."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from nnrun.engines.compiled.kernels import KERNELS
from nnrun.engines.compiled.kernels.access import evaluated, parameters, pointer
from nnrun.engines.compiled.kernels.build import ARGUMENTS
from nnrun.engines.compiled.language.kinds import LanguageError
from nnrun.engines.compiled.language.translator import Translator

PLACE = "nnrun.engines.compiled.kernels."


@pytest.mark.parametrize("name", KERNELS)
def test_parameters_are_those_of_the_table(name: str) -> None:
    """What a kernel takes apart has the names of the table, in its order."""
    kernel = KERNELS[name]
    function = getattr(import_module(PLACE + kernel.module), kernel.function)
    if getattr(function, "written", False):
        return  # it asks the table itself
    settings = kernel.constants.get("names", ())  # of a loss; `settings` reads them by name
    assert list(kernel.parameters) == [*_taken(function), *settings]


@pytest.mark.parametrize("name", KERNELS)
def test_who_uses_scratch_memory_says_how_much(name: str) -> None:
    """A kernel has pieces in the table if and only if it asks for the memory."""
    kernel = KERNELS[name]
    function = getattr(import_module(PLACE + kernel.module), kernel.function)
    if getattr(function, "written", False):
        used = ".pieces()" in inspect.getsource(function)
    else:
        nodes = ast.walk(ast.parse(inspect.getsource(function)))
        used = any(isinstance(node, ast.Name) and node.id == "scratch" for node in nodes)
    assert (kernel.scratch is not None) == used


def _taken(function: Any) -> list[str]:
    for node in ast.walk(ast.parse(inspect.getsource(function))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called, target = node.value.func, node.targets[0]
            if isinstance(called, ast.Name) and called.id == "parameters":
                assert isinstance(target, ast.Tuple)
                count = ast.literal_eval(node.value.args[1])
                names = [one.id for one in target.elts if isinstance(one, ast.Name)]
                assert count == len(names)
                return names
    return []


def unknown(p, task, n, k, start, rate, scratch):  # type: ignore[no-untyped-def]
    x = pointer(task)
    x[0] = task if n > 0 else rate


def lambdas(p, task, n, k, start, rate, scratch):  # type: ignore[no-untyped-def]
    return [task for _ in range(n)]


@pytest.mark.parametrize("function", [unknown, lambdas])
def test_what_is_not_in_the_language(function: Any) -> None:
    """What cannot be translated is refused with its file and line."""
    line = inspect.getsourcelines(function)[1]
    with pytest.raises(
        LanguageError, match=rf"test_kernels\.py:{line + 1 + (function is unknown)}:"
    ):
        Translator(function, "kernel", ARGUMENTS, "float64")


def mixture(p, task, n, k, start, rate, scratch):  # type: ignore[no-untyped-def]
    """Loops, branches, selections, whole-number arithmetic."""
    x, y, count = parameters(p, 3)
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
    from nnrun.engines.compiled.kernels import Kernel, load

    monkeypatch.setitem(KERNELS, "mixture", Kernel("parts", "mixture", ("x", "y", "count")))
    monkeypatch.setattr("nnrun.engines.compiled.kernels.parts.mixture", mixture, raising=False)
    x, y = np.array([1.5, 0.5, 3.0], dtype), np.zeros(5, dtype)
    values = {"x": x.ctypes.data, "y": y.ctypes.data, "count": 41}
    load.kernel_function("mixture", dtype)(values, 0, 1)
    total = sum(i // 3 if i % 4 == 0 and i != 8 else -1 for i in range(0, 41, 2))
    while total > 100:
        total -= 7
    assert [3.5, 1.5, -3.0, total, -1.0] == y.tolist()
