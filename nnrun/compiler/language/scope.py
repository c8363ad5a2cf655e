"""The statements of the language, one function's at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from llvmlite import ir

from nnrun.compiler.language import operators
from nnrun.compiler.language.code import Code
from nnrun.compiler.language.definitions import Definition
from nnrun.compiler.language.expressions import Expressions, Slot
from nnrun.compiler.language.kinds import LanguageError

_MISTAKES = (TypeError, ValueError, LookupError, AttributeError)


class Scope(Expressions):
    """One function while its body is translated."""

    def __init__(self, translator: Code, definition: Definition, names: Mapping[str, Any]) -> None:
        super().__init__(translator, names, definition.names)
        self.definition = definition

    def call(self, values: list[Any]) -> Any:
        """Translate the body for these arguments; what it returns."""
        parameters = [name for name in self.definition.parameters if name not in self.names]
        for name, value in zip(parameters, values, strict=True):
            if name in self.definition.assigned:
                self.bind(name, value)
            else:
                self.names[name] = value
        return self.block(self.definition.tree.body)

    def block(self, body: list[ast.stmt]) -> Any:
        """Translate statements, up to one that returns; what it returns."""
        for statement in body:
            try:
                if isinstance(statement, ast.Return):
                    return self.value(statement.value) if statement.value else None
                self.statement(statement)
            except LanguageError:
                raise
            except _MISTAKES as error:  # and not an interruption, which may come at any time
                place = f"{self.definition.path}:{statement.lineno}"
                raise LanguageError(f"{place}: {error}") from error
        return None

    def statement(self, node: ast.stmt) -> None:
        """Translate one statement."""
        match node:
            case ast.Assign(targets=[target], value=value):
                self.assign(target, self.value(value))
            case ast.AugAssign(target=target, op=op, value=value):
                read: Any = ast.copy_location(_as_load(target), target)
                changed = operators.operate(self.t, op, self.value(read), self.value(value))
                self.assign(target, changed)
            case ast.Expr(value=value):
                if not isinstance(value, ast.Constant):  # such as a docstring
                    self.value(value)
            case ast.If(test=test, body=body, orelse=orelse):
                self.branch(self.value(test), body, orelse)
            case ast.For(
                target=ast.Name(id=name),
                iter=ast.Call(func=ast.Name(id="range"), args=args),
                body=body,
            ):
                self.loop(name, [self.value(arg) for arg in args], body)
            case ast.For(target=ast.Name(id=name), iter=values, body=body):
                self.unroll(name, self.value(values), body)
            case ast.While(test=test, body=body):
                self.t.repeat(
                    lambda: operators.condition(self.t, self.value(test)), lambda: self.block(body)
                )
            case ast.Pass():
                pass
            case _:
                raise TypeError(f"{type(node).__name__} is not in the language")

    def assign(self, target: Any, value: Any) -> None:
        """Give names, places in memory, or several of them a value."""
        match target:
            case ast.Name(id=name):
                self.bind(name, value)
            case ast.Subscript(value=base, slice=index):
                address = self.t.address(self.value(base), self.value(index))
                self.t.builder.store(self.t.typed(value, address.type.pointee), address)
            case ast.Tuple(elts=elements):
                for element, part in zip(elements, value, strict=True):
                    self.assign(element, part)
            case _:
                raise TypeError("this cannot be assigned to")

    def bind(self, name: str, value: Any) -> None:
        """Give a name a value."""
        if not isinstance(value, ir.Value | int | float):
            self.names[name] = value  # such as a function, or an array
            return
        value = self.t.variable(value)
        slot = self.names.get(name)
        # A name may come to mean something of another type, as an address that becomes a pointer.
        if not isinstance(slot, Slot) or slot.place.type.pointee != value.type:
            slot = self.names[name] = Slot(self.t.place(value.type))
        self.t.builder.store(value, slot.place)

    def branch(self, test: Any, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        """One of two blocks; a constant test is decided here."""
        if not isinstance(test, ir.Value):
            self.block(body if test else orelse)
            return
        condition = operators.condition(self.t, test)
        if not orelse:
            with self.t.builder.if_then(condition):
                self.block(body)
            return
        with self.t.builder.if_else(condition) as (then, otherwise):
            with then:
                self.block(body)
            with otherwise:
                self.block(orelse)

    def loop(self, name: str, bounds: list[Any], body: list[ast.stmt]) -> None:
        """For a name in a range, which may be unrolled here if it is constant."""
        start, stop, step = [0, *bounds, 1] if len(bounds) == 1 else [*bounds, 1][:3]
        constant = not any(isinstance(bound, ir.Value) for bound in (start, stop, step))
        if constant and self.definition.unrolled:
            self.unroll(name, range(start, stop, step), body)
            return

        def once(value: Any) -> None:
            self.names[name] = value
            self.block(body)

        self.t.loop(start, stop, step, once)

    def unroll(self, name: str, values: Iterable[Any], body: list[ast.stmt]) -> None:
        """A block for each of some values that a name has."""
        for value in values:
            self.names[name] = value
            self.block(body)


def _as_load(target: Any) -> Any:
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    return ast.Subscript(target.value, target.slice, ast.Load())
