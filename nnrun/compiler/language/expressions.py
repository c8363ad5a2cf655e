"""The values of expressions, and the built-in functions."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from llvmlite import ir

from nnrun.compiler.language import operators
from nnrun.compiler.language.code import Code, intrinsic
from nnrun.compiler.language.kinds import NUMPY, is_float, plain
from nnrun.compiler.language.operators import alike, operate
from nnrun.compiler.language.vectors import View


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


class Slot:
    """A variable: its place on the stack, from where LLVM takes it into a register."""

    def __init__(self, place: Any) -> None:
        self.place = place


class Expressions:
    """Values of expressions in a scope.

    Args:
        names: that change while translating: slots, or values that are constant.
        around: names outside of the function.
    """

    def __init__(
        self, translator: Code, names: Mapping[str, Any], around: Mapping[str, Any]
    ) -> None:
        self.t = translator
        self.names: dict[str, Any] = dict(names)
        self.around = around

    def value(self, node: Any) -> Any:  # noqa: PLR0911, PLR0912 - one case for each expression
        """LLVM's, or Python's if it is constant."""
        match node:
            case ast.Name(id=name):
                return self.look_up(name)
            case ast.Constant(value=value):
                return value
            case ast.BinOp(left=left, op=op, right=right):
                return operators.operate(self.t, op, self.value(left), self.value(right))
            case ast.Subscript(value=base, slice=index):
                held, place = self.value(base), self.value(index)
                if not isinstance(held, ir.Value | View):
                    return plain(held[place])
                return self.t.builder.load(self.t.address(held, place))
            case ast.Call(func=called, args=args):
                return self.invoke(self.value(called), [self.value(arg) for arg in args])
            case ast.Tuple(elts=elements):
                return tuple(self.value(element) for element in elements)
            case ast.UnaryOp(op=op, operand=operand):
                return operators.unary(self.t, op, self.value(operand))
            case ast.Compare(left=left, ops=ops, comparators=others):
                values = [self.value(part) for part in (left, *others)]
                return operators.compare(self.t, ops, values)
            case ast.BoolOp(op=op, values=parts):
                return operators.both(self.t, op, [self.value(part) for part in parts])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.select(self.value(test), body, orelse)
            case ast.Attribute(value=holder, attr=name):
                return plain(getattr(self.value(holder), name))
            case _:
                raise TypeError(f"{type(node).__name__} is not in the language")

    def look_up(self, name: str) -> Any:
        """The value of a name."""
        if name in self.names:
            value = self.names[name]
            return self.t.builder.load(value.place) if isinstance(value, Slot) else value
        found = self.around[name] if name in self.around else BUILT_IN[name]
        return plain(found)

    def select(self, test: Any, body: ast.expr, orelse: ast.expr) -> Any:
        """body if test else orelse; if that is not constant both are evaluated."""
        if not isinstance(test, ir.Value):
            return self.value(body if test else orelse)
        return operators.select(self.t, test, self.value(body), self.value(orelse))

    def invoke(self, called: Any, values: list[Any]) -> Any:
        """What a function returns for these arguments."""
        if getattr(called, "translates", False):
            return called(self.t, *values)
        if getattr(called, "stays", False):
            return self.t.subroutine(called, values)
        if isinstance(called, FunctionType):
            return self.t.inline(called, values)
        if called in NUMPY:
            return self.t.typed(values[0], NUMPY[called])
        raise TypeError(f"{called!r} cannot be called")
