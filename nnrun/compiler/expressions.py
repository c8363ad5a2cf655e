"""Expressions: operators of LLVM's values and of constants, and where a * b + c is fused."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import FunctionType
from typing import Any, TypeGuard

from llvmlite import ir

from nnrun.compiler.code import I1, I64, NUMPY, Code, View, intrinsic, is_float, is_vector, plain

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


# The values of expressions, and the built-in functions.


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
                return operate(self.t, op, self.value(left), self.value(right))
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
                return unary(self.t, op, self.value(operand))
            case ast.Compare(left=left, ops=ops, comparators=others):
                values = [self.value(part) for part in (left, *others)]
                return compare(self.t, ops, values)
            case ast.BoolOp(op=op, values=parts):
                return both(self.t, op, [self.value(part) for part in parts])
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
        return select(self.t, test, self.value(body), self.value(orelse))

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


# Products that are added: a * b + c is rounded once, on every processor alike.
#
# LLVM's own fusing depends on the processor. For the same bits everywhere, `fuse` rewrites every
# sum and difference with a product in the source; of two products, it takes the left one. No fast-
# math flag is set.

# Their arguments are integers; so are subscripts.
_OF_INTEGERS = ("range", "view")


def fuse(tree: ast.AST) -> None:
    """Write all sums of products in a module as calls of `fma`, those of integers too."""
    _Fusing().visit(tree)
    ast.fix_missing_locations(tree)


class _Fusing(ast.NodeTransformer):
    """a b + c and c + a b become fma(a, b, c); a b - c and c - a b too, with a minus."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return _fused(node.op, node.left, node.right) or node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        self.generic_visit(node)
        if not _is_product(node.value):
            return node
        # What stands there is a place for a number, never itself a product.
        there = ast.parse(ast.unparse(node.target), mode="eval").body
        value = _fused(node.op, there, node.value)
        return node if value is None else ast.copy_location(ast.Assign([node.target], value), node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not (isinstance(node.func, ast.Name) and node.func.id.startswith(_OF_INTEGERS)):
            self.generic_visit(node)
        return node


def _fused(sign: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr | None:
    """The call of `fma` for left ± right, if one of them is a product."""
    minus = isinstance(sign, ast.Sub)
    if not (minus or isinstance(sign, ast.Add)):
        return None
    if _is_product(left):
        return _call(left.left, left.right, _negative(right) if minus else right)
    if _is_product(right):
        return _call(_negative(right.left) if minus else right.left, right.right, left)
    return None


def _is_product(node: ast.expr) -> TypeGuard[ast.BinOp]:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


def _negative(node: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.USub(), node)


def _call(*arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("fma", ast.Load()), list(arguments), [])
