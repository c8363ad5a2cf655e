"""Operators: of LLVM's values, of Python's where those are constant, or of both."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from llvmlite import ir

from nnrun.compiler.language.code import Code
from nnrun.compiler.language.kinds import I1, I64, is_float, is_vector

# By Python's: what it is for constants, for integers, and for floating-point numbers.
_ARITHMETIC: dict[type[ast.operator], tuple[Callable[[Any, Any], Any], str, str]] = {
    ast.Add: (operator.add, "add", "fadd"),
    ast.Sub: (operator.sub, "sub", "fsub"),
    ast.Mult: (operator.mul, "mul", "fmul"),
    ast.Div: (operator.truediv, "", "fdiv"),
    ast.FloorDiv: (operator.floordiv, "sdiv", ""),
    ast.Mod: (operator.mod, "srem", ""),
    ast.LShift: (operator.lshift, "shl", ""),
    ast.RShift: (operator.rshift, "ashr", ""),
    ast.BitAnd: (operator.and_, "and_", ""),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[Callable[[Any, Any], bool], str]] = {
    ast.Lt: (operator.lt, "<"),
    ast.LtE: (operator.le, "<="),
    ast.Gt: (operator.gt, ">"),
    ast.GtE: (operator.ge, ">="),
    ast.Eq: (operator.eq, "=="),
    ast.NotEq: (operator.ne, "!="),
}
_WRAPPING = {"add", "sub", "mul"}


def operate(t: Code, op: ast.operator, left: Any, right: Any) -> Any:
    """left op right; of an address and an integer another address."""
    constant, integral, floating = _ARITHMETIC[type(op)]
    if not (isinstance(left, ir.Value) or isinstance(right, ir.Value)):
        return constant(left, right)
    if isinstance(left, ir.Value) and isinstance(left.type, ir.PointerType):
        return t.address(left, right)
    (left, right), floats = alike(t, left, right)
    name = floating if floats else integral
    if not name:
        raise TypeError(f"{left.type} has no {type(op).__name__}")
    flags = {"flags": ["nsw"]} if name in _WRAPPING and left.type == I64 else {}
    return getattr(t.builder, name)(left, right, **flags)


def unary(t: Code, op: ast.unaryop, value: Any) -> Any:
    """-value, or not value."""
    is_value = isinstance(value, ir.Value)
    if isinstance(op, ast.Not):
        return t.builder.not_(condition(t, value)) if is_value else not value
    if not isinstance(op, ast.USub):
        raise TypeError(f"{type(op).__name__} is not in the language")
    if not is_value:
        return -value
    return t.builder.fneg(value) if is_float(value.type) else t.builder.neg(value)


def compare(t: Code, ops: Sequence[ast.cmpop], values: Sequence[Any]) -> Any:
    """A chain of comparisons; NaN differs from everything, and compares with nothing."""
    found = [_compare(t, op, *pair) for op, pair in zip(ops, pairwise(values), strict=True)]
    return both(t, ast.And(), found)


def _compare(t: Code, op: ast.cmpop, left: Any, right: Any) -> Any:
    constant, sign = _COMPARISONS[type(op)]
    if not (isinstance(left, ir.Value) or isinstance(right, ir.Value)):
        return constant(left, right)
    (left, right), floats = alike(t, left, right)
    if not floats:
        return t.builder.icmp_signed(sign, left, right)
    compared = t.builder.fcmp_unordered if sign == "!=" else t.builder.fcmp_ordered
    return compared(sign, left, right)


def both(t: Code, op: ast.boolop, values: Sequence[Any]) -> Any:
    """All of the values, or any of them, if `op` is Or; each is evaluated."""
    total = values[0]
    for value in values[1:]:
        joined = t.builder.and_ if isinstance(op, ast.And) else t.builder.or_
        total = joined(condition(t, total), condition(t, value))
    return total


def condition(t: Code, value: Any) -> Any:
    """A value as true or false: what is not 0 is true."""
    if not isinstance(value, ir.Value):
        return ir.Constant(I1, bool(value))
    is_condition = getattr(value.type, "element", value.type) == I1
    return value if is_condition else _compare(t, ast.NotEq(), value, 0)


def select(t: Code, test: Any, left: Any, right: Any) -> Any:
    """left if test else right, without a branch."""
    if not (isinstance(left, ir.Value) or isinstance(right, ir.Value)):
        left = t.variable(left)
    values, _ = alike(t, left, right)
    return t.builder.select(condition(t, test), *values)


def alike(t: Code, *values: Any) -> tuple[list[Any], bool]:
    """Values of one type, constants as that type too; and whether it is a float.

    Beside a vector, a number becomes one that has it in all lanes.
    """
    kinds = [value.type for value in values if isinstance(value, ir.Value)]
    known = next(filter(is_vector, kinds), kinds[0])
    for value in values:
        held = getattr(value, "type", known)
        if held not in (known, known.element if is_vector(known) else known):
            raise TypeError(f"{known} and {value.type} do not go together")
        if isinstance(value, float) and not is_float(known):
            raise TypeError(f"{value} is no {known}")
    return [t.typed(value, known) for value in values], is_float(known)
