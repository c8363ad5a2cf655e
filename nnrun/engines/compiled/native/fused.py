# mypy: disallow-untyped-decorators=False
"""Fused multiply-adds, and functions that are compiled with them."""

from __future__ import annotations

import ast
import inspect
import operator
from collections.abc import Callable
from functools import cache
from textwrap import dedent
from types import FunctionType
from typing import Any

import numba

from nnrun.engines.compiled.language.fusing import fuse
from nnrun.engines.compiled.native.lowering import OPTIONS
from nnrun.engines.compiled.native.memory import bits, from_bits, intrinsic, types


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c; rounded once, if all three are floating-point numbers of one type."""
    if isinstance(a, types.Float) and a == b == c:
        return a(a, b, c), lambda context, builder, signature, arguments: builder.fma(*arguments)
    product = typing_context.resolve_function_type(operator.mul, (a, b), {})
    total = typing_context.resolve_function_type(operator.add, (product.return_type, c), {})

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x = context.cast(builder, arguments[0], a, product.args[0])
        y = context.cast(builder, arguments[1], b, product.args[1])
        inner = context.get_function(operator.mul, product)(builder, (x, y))
        left = context.cast(builder, inner, product.return_type, total.args[0])
        right = context.cast(builder, arguments[2], c, total.args[1])
        return context.get_function(operator.add, total)(builder, (left, right))

    return total.return_type(a, b, c), generate


@cache
def compiled(function: Callable[..., Any]) -> Any:
    """A function that generated source may call: fused, and part of the code that calls it.

    So are those that it calls, as far as they stand in the function around it.
    """
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(dedent("".join(lines)))
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    fuse(ast.increment_lineno(tree, first - 1))
    inner = inspect.getclosurevars(function).nonlocals
    called = {k: compiled(v) if isinstance(v, FunctionType) else v for k, v in inner.items()}
    ours = {"fma": fma, "bits": bits, "from_bits": from_bits}
    names = {**function.__globals__, **called, **ours}
    exec(
        compile(
            tree, inspect.getfile(function), "exec", annotations.compiler_flag, dont_inherit=True
        ),
        names,
    )
    njit: Any = numba.njit
    return njit(forceinline=True, **OPTIONS)(names[function.__name__])
