"""The statements and expressions of the kernels' language, one function's at a time."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from nnrun.engines.compiled.language.fusing import fuse

if TYPE_CHECKING:
    from nnrun.engines.compiled.language.translator import Translator

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
DOUBLE = ir.DoubleType()
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("add", "fadd"),
    ast.Sub: ("sub", "fsub"),
    ast.Mult: ("mul", "fmul"),
    ast.Div: ("", "fdiv"),
    ast.FloorDiv: ("sdiv", ""),
    ast.Mod: ("srem", ""),
    ast.LShift: ("shl", ""),
    ast.RShift: ("ashr", ""),
    ast.BitAnd: ("and_", ""),
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_WRAPPING = {"add", "sub", "mul"}


class LanguageError(TypeError):
    """Source that is not in the language, and where."""


class Slot:
    """A variable: its place on the stack, from where LLVM takes it into a register."""

    def __init__(self, place: Any) -> None:
        self.place = place


class Scope:
    """One function's names while its body is translated."""

    def __init__(self, translator: Translator, function: Any, names: dict[str, Any]) -> None:
        self.t = translator
        self.function = function
        self.names: dict[str, Any] = dict(names)

    def call(self, values: list[Any]) -> Any:
        """Translate the body for these arguments; what it returns."""
        tree = _definition(self.function)
        changed = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        for argument, value in zip(tree.args.args, values, strict=True):
            self.names[argument.arg] = value
            if argument.arg in changed:
                del self.names[argument.arg]
                self.bind(argument.arg, value)
        return self.block(tree.body)

    def block(self, body: list[ast.stmt]) -> Any:
        for statement in body:
            try:
                if isinstance(statement, ast.Return):
                    return self.value(statement.value) if statement.value else None
                self.statement(statement)
            except LanguageError:
                raise
            except Exception as error:
                place = f"{self.function.__code__.co_filename}:{statement.lineno}"
                raise LanguageError(f"{place}: {error}") from error
        return None

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=value):
                if not isinstance(value, ast.Constant):  # such as a docstring
                    self.value(value)
            case ast.Assign(targets=[target], value=value):
                self.assign(target, self.value(value))
            case ast.AugAssign(target=target, op=op, value=value):
                read: Any = ast.copy_location(_as_load(target), target)
                self.assign(target, self.operate(op, self.value(read), self.value(value)))
            case ast.If(test=test, body=body, orelse=orelse):
                self.branch(self.value(test), body, orelse)
            case ast.For(target=ast.Name(id=name), iter=ast.Call(args=args), body=body):
                self.loop(name, [self.value(arg) for arg in args], body)
            case ast.While(test=test, body=body):
                self.repeat(lambda: self.condition(self.value(test)), lambda: self.block(body))
            case ast.Pass():
                pass
            case _:
                raise TypeError(f"{type(node).__name__} is not in the language")

    def assign(self, target: Any, value: Any) -> None:
        match target:
            case ast.Name(id=name):
                self.bind(name, value)
            case ast.Tuple(elts=elements):
                for element, part in zip(elements, value, strict=True):
                    self.assign(element, part)
            case ast.Subscript(value=base, slice=index):
                address = self.address(self.value(base), self.value(index))
                self.t.builder.store(self.t.typed(value, address.type.pointee), address)
            case _:
                raise TypeError("this cannot be assigned to")

    def bind(self, name: str, value: Any) -> None:
        if not isinstance(value, ir.Value | int | float):
            self.names[name] = value  # such as a function
            return
        value = self.variable(value)
        slot = self.names.get(name)
        # A name may come to mean something of another type, as an address that becomes a pointer.
        if not isinstance(slot, Slot) or slot.place.type.pointee != value.type:
            slot = self.names[name] = self.t.slot(value.type)
        self.t.builder.store(value, slot.place)

    def variable(self, value: Any) -> Any:
        """A constant as what a variable holds."""
        if isinstance(value, ir.Value):
            return value
        if isinstance(value, bool):
            return ir.Constant(I1, value)
        return self.t.integer(value) if isinstance(value, int) else self.t.number(value)

    def branch(self, test: Any, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        if not isinstance(test, ir.Value):
            self.block(body if test else orelse)
            return
        with self.t.builder.if_else(self.condition(test)) as (then, otherwise):
            with then:
                self.block(body)
            with otherwise:
                self.block(orelse)

    def loop(self, name: str, bounds: list[Any], body: list[ast.stmt]) -> None:
        start, stop, step = [0, *bounds, 1] if len(bounds) == 1 else [*bounds, 1][:3]
        if not any(isinstance(bound, ir.Value) for bound in (start, stop, step)):
            for value in range(start, stop, step):
                self.names[name] = value
                self.block(body)
            return
        t = self.t
        stop, step = t.integer(stop), t.integer(step)
        counter = t.slot(I64)
        t.builder.store(t.integer(start), counter.place)

        def more() -> Any:
            return t.builder.icmp_signed("<", t.builder.load(counter.place), stop)

        def once() -> None:
            value = t.builder.load(counter.place)
            self.names[name] = value
            self.block(body)
            t.builder.store(t.builder.add(value, step, flags=["nsw"]), counter.place)

        self.repeat(more, once)

    def repeat(self, more: Callable[[], Any], once: Callable[[], Any]) -> None:
        builder = self.t.builder
        head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        builder.cbranch(more(), body, after)
        builder.position_at_end(body)
        once()
        builder.branch(head)
        builder.position_at_end(after)

    def value(self, node: Any) -> Any:  # noqa: PLR0911, PLR0912 - one case for each expression
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.look_up(name)
            case ast.Tuple(elts=elements):
                return tuple(self.value(element) for element in elements)
            case ast.Attribute(value=holder, attr=name):
                return _plain(getattr(self.value(holder), name))
            case ast.Subscript(value=base, slice=index):
                held, place = self.value(base), self.value(index)
                if not isinstance(held, ir.Value):
                    return _plain(held[place])
                return self.t.builder.load(self.address(held, place))
            case ast.BinOp(left=left, op=op, right=right):
                return self.operate(op, self.value(left), self.value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return self.unary(op, self.value(operand))
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self.compare(ops, [self.value(part) for part in (left, *others)])
            case ast.BoolOp(op=op, values=values):
                return self.both(op, [self.value(value) for value in values])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.select(self.value(test), body, orelse)
            case ast.Call(func=called, args=args):
                return self.invoke(self.value(called), [self.value(arg) for arg in args])
            case _:
                raise TypeError(f"{type(node).__name__} is not in the language")

    def look_up(self, name: str) -> Any:
        if name in self.names:
            value = self.names[name]
            return self.t.builder.load(value.place) if isinstance(value, Slot) else value
        if self.function is None:
            return _BUILT_IN[name]
        code, cells = self.function.__code__, self.function.__closure__ or ()
        held = {key: cell.cell_contents for key, cell in zip(code.co_freevars, cells, strict=True)}
        return _plain({**_BUILT_IN, **self.function.__globals__, **held}[name])

    def address(self, base: Any, index: Any) -> Any:
        return self.t.builder.gep(base, [self.t.integer(index)], inbounds=True)

    def common(self, left: Any, right: Any) -> tuple[Any, Any, bool]:
        """Both of one type, and whether that is a float."""
        known = next(value.type for value in (left, right) if isinstance(value, ir.Value))
        for value in (left, right):
            if isinstance(value, ir.Value) and value.type != known:
                raise TypeError(f"{left.type} and {right.type} do not go together")
            if isinstance(value, float) and not is_float(known):
                raise TypeError(f"{value} is no {known}")
        return self.t.typed(left, known), self.t.typed(right, known), is_float(known)

    def operate(self, op: ast.operator, left: Any, right: Any) -> Any:
        integral, floating = _ARITHMETIC[type(op)]
        if not (isinstance(left, ir.Value) or isinstance(right, ir.Value)):
            return _constant(op, left, right)
        if isinstance(left, ir.Value) and isinstance(left.type, ir.PointerType):
            return self.address(left, right)
        left, right, is_float = self.common(left, right)
        name = floating if is_float else integral
        if not name:
            raise TypeError(f"{left.type} has no {type(op).__name__}")
        flags = {"flags": ["nsw"]} if name in _WRAPPING and left.type == I64 else {}
        return getattr(self.t.builder, name)(left, right, **flags)

    def unary(self, op: ast.unaryop, value: Any) -> Any:
        if isinstance(op, ast.Not):
            is_value = isinstance(value, ir.Value)
            return self.t.builder.not_(self.condition(value)) if is_value else not value
        if not isinstance(value, ir.Value):
            return -value
        return self.t.builder.fneg(value) if is_float(value.type) else self.t.builder.neg(value)

    def compare(self, ops: list[ast.cmpop], values: list[Any]) -> Any:
        found = [
            self.compare_two(_COMPARISONS[type(op)], *pair)
            for op, pair in zip(ops, pairwise(values), strict=True)
        ]
        return self.both(ast.And(), found)

    def compare_two(self, sign: str, left: Any, right: Any) -> Any:
        if not (isinstance(left, ir.Value) or isinstance(right, ir.Value)):
            return _CONSTANT_COMPARISONS[sign](left, right)
        left, right, is_float = self.common(left, right)
        if not is_float:
            return self.t.builder.icmp_signed(sign, left, right)
        ordered = sign != "!="  # NaN differs from everything
        builder = self.t.builder
        return (builder.fcmp_ordered if ordered else builder.fcmp_unordered)(sign, left, right)

    def both(self, op: ast.boolop, values: list[Any]) -> Any:
        total = values[0]
        for value in values[1:]:
            joined = self.t.builder.and_ if isinstance(op, ast.And) else self.t.builder.or_
            total = joined(self.condition(total), self.condition(value))
        return total

    def condition(self, value: Any) -> Any:
        if not isinstance(value, ir.Value):
            return ir.Constant(I1, bool(value))
        if value.type == I1:
            return value
        return self.compare_two("!=", value, 0)

    def select(self, test: Any, body: ast.expr, orelse: ast.expr) -> Any:
        if not isinstance(test, ir.Value):
            return self.value(body if test else orelse)
        left, right = self.value(body), self.value(orelse)
        if not (isinstance(left, ir.Value) or isinstance(right, ir.Value)):
            left = self.variable(left)
        left, right, _ = self.common(left, right)
        return self.t.builder.select(self.condition(test), left, right)

    def invoke(self, called: Any, values: list[Any]) -> Any:
        if getattr(called, "translates", False):
            return called(self.t, *values)
        if getattr(called, "stays", False):
            return self.t.subroutine(called, [self.variable(value) for value in values])
        if isinstance(called, FunctionType):
            return Scope(self.t, called, {}).call(values)
        if isinstance(called, type) and issubclass(called, np.integer):
            return self.t.typed(values[0], I64 if called is np.int64 else I32)
        if isinstance(called, type) and issubclass(called, np.floating):
            return self.t.number(values[0])
        raise TypeError(f"{called!r} cannot be called")


@cache
def _tree(path: str) -> dict[int, ast.FunctionDef]:
    """All functions of a file, by their first lines."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    fuse(tree)
    return {
        min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


def _definition(function: Any) -> ast.FunctionDef:
    return _tree(function.__code__.co_filename)[function.__code__.co_firstlineno]


def _as_load(target: Any) -> Any:
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    return ast.Subscript(target.value, target.slice, ast.Load())


def _constant(op: ast.operator, left: Any, right: Any) -> Any:
    tree = ast.Expression(ast.BinOp(ast.Name("a", ast.Load()), op, ast.Name("b", ast.Load())))
    return eval(compile(ast.fix_missing_locations(tree), "", "eval"), {"a": left, "b": right})


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's: what they are is said by what they are used with."""
    return value.item() if isinstance(value, np.generic) else value


def is_float(kind: Any) -> bool:
    """Whether a type is one of floating-point numbers."""
    return isinstance(kind, ir.FloatType | ir.DoubleType)


def is_integer(kind: Any) -> bool:
    """Whether a type is one of integers."""
    return isinstance(kind, ir.IntType)


_CONSTANT_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def _absolute(t: Translator, value: Any) -> Any:
    return t.call("llvm.fabs", value)


def _fused(t: Translator, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once if they are floating-point numbers; c may be a pointer."""
    values = [value for value in (a, b, c) if isinstance(value, ir.Value)]
    kind = next((value.type for value in values if is_float(value.type)), None)
    if kind is not None:
        return t.call("llvm.fma", *(t.typed(value, kind) for value in (a, b, c)))
    scope = Scope(t, None, {})
    return scope.operate(ast.Add(), c, scope.operate(ast.Mult(), a, b))


def _length(t: Translator, values: Any) -> int:
    return len(values)


def _minimum(a: Any, b: Any) -> Any:
    return a if a < b else b


def _maximum(a: Any, b: Any) -> Any:
    return a if a > b else b


_FUNCTIONS: list[Any] = [_absolute, _fused, _length]
for _function in _FUNCTIONS:
    _function.translates = True
_BUILT_IN: dict[str, Any] = {
    "abs": _absolute,
    "fma": _fused,
    "len": _length,
    "max": _maximum,
    "min": _minimum,
}
