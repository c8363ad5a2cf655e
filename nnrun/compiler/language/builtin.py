"""Built-in functions of the language."""

from __future__ import annotations

import ast
from typing import Any

from llvmlite import ir

from nnrun.compiler.language.code import Code
from nnrun.compiler.language.kinds import is_float
from nnrun.compiler.language.marks import intrinsic
from nnrun.compiler.language.operators import alike, operate


@intrinsic
def absolute(t: Code, value: Any) -> Any:
    """|value|, of a floating-point number."""
    return t.call("llvm.fabs", value) if isinstance(value, ir.Value) else abs(value)


@intrinsic
def fma(t: Code, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once if they are floating-point numbers; c may be an address."""
    if any(isinstance(value, ir.Value) and is_float(value.type) for value in (a, b, c)):
        return t.call("llvm.fma", *alike(t, a, b, c)[0])
    return operate(t, ast.Add(), c, operate(t, ast.Mult(), a, b))


@intrinsic
def length(t: Code, values: Any) -> int:
    """The number of values."""
    return len(values)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two, the first one if one of them is NaN."""
    return b if b < a else a


def maximum(a: Any, b: Any) -> Any:
    """The larger of two, the first one if one of them is NaN."""
    return b if b > a else a


BUILT_IN: dict[str, Any] = {
    "abs": absolute,
    "fma": fma,
    "len": length,
    "max": maximum,
    "min": minimum,
}
