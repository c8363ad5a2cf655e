"""Translation of plain functions to LLVM's code, and of generated source to machine code."""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

from llvmlite import ir

from nnrun.compiler import expressions as operators
from nnrun.compiler import machine
from nnrun.compiler.arguments import ARGUMENTS
from nnrun.compiler.code import I64, REAL, Code, LanguageError
from nnrun.compiler.expressions import Expressions, Slot, fuse
from nnrun.compiler.machine import SYMBOL, Processor


@dataclass(frozen=True)
class Definition:
    """One function.

    Args:
        tree: with its sums of products fused.
        path: of the file, for messages.
        names: globals and closure.
        unrolled: whether its loops over constants are unrolled while translating.
    """

    tree: ast.FunctionDef
    path: str
    names: Mapping[str, Any]
    unrolled: bool

    @property
    def parameters(self) -> list[str]:
        """Their names."""
        return [argument.arg for argument in self.tree.args.args]

    @cached_property
    def assigned(self) -> frozenset[str]:
        """All names that it assigns."""
        return frozenset(
            node.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )


@cache
def of(function: FunctionType) -> Definition:
    """The definition of a function in a file."""
    code, cells = function.__code__, function.__closure__ or ()
    held = {key: cell.cell_contents for key, cell in zip(code.co_freevars, cells, strict=True)}
    tree = _trees(code.co_filename)[code.co_firstlineno]
    names = ChainMap(held, function.__globals__)
    return Definition(tree, code.co_filename, names, unrolled=True)


def generated(source: str, path: str) -> Definition:
    """The last function of a module that was written by a program.

    Its loops are not unrolled: the program has done that.
    """
    module = ast.parse(source)
    *head, function = module.body
    assert isinstance(function, ast.FunctionDef)
    names: dict[str, Any] = {}
    exec(compile(ast.Module(head, []), path, "exec"), names)
    fuse(function)
    return Definition(function, path, names, unrolled=False)


@cache
def _trees(path: str) -> dict[int, ast.FunctionDef]:
    """All functions of a file, by their first lines."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    fuse(tree)
    return {
        min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


# The statements of the language, one function's at a time.

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
        """Emit a loop over a range, unrolled here if the range is constant."""
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


# From a plain function to one of LLVM's.


class Translator(Code):
    """Translates one function, with all that it calls.

    Args:
        constants: what further names mean in the function.
    """

    def __init__(
        self,
        function: FunctionType | Definition,
        symbol: str,
        arguments: Sequence[Any],
        dtype: str,
        constants: Mapping[str, Any] | None = None,
        module: ir.Module | None = None,
    ) -> None:
        super().__init__(symbol, arguments, dtype, module)
        first = self.builder.block
        self.inline(function, self.given(function), constants)
        self.builder.ret_void()
        self.entry.branch(first)

    def given(self, function: FunctionType | Definition) -> list[Any]:
        """The values of the function's parameters that are no constants."""
        return list(self.function.args)

    def inline(
        self,
        function: FunctionType | Definition,
        values: list[Any],
        constants: Mapping[str, Any] | None = None,
    ) -> Any:
        """Write what a function does with these arguments; what it returns."""
        known = function if isinstance(function, Definition) else of(function)
        return Scope(self, known, constants or {}).call(values)

    def subroutine(self, function: FunctionType, values: list[Any]) -> None:
        """Call a function that is translated once for the module and the tuples it gets."""
        names = of(function).parameters
        given = dict(zip(names, values, strict=True))
        fixed = {name: value for name, value in given.items() if isinstance(value, tuple)}
        values = [self.variable(value) for name, value in given.items() if name not in fixed]
        name = ".".join([function.__module__, function.__name__, *map(str, fixed.values())])
        found = self.module.globals.get(name)
        if found is None:
            kinds = [value.type for value in values]
            code = Translator(function, name, kinds, self.dtype, fixed, self.module)
            found = code.function
            found.linkage = "internal"
            found.attributes.add("noinline")
        kinds = found.function_type.args
        arguments = [self.typed(value, kind) for value, kind in zip(values, kinds, strict=True)]
        self.builder.call(found, arguments)

    def evaluate(self, text: str, names: Mapping[str, Any]) -> Any:
        """The value of an expression with these names."""
        tree = ast.parse(text, mode="eval")
        fuse(tree)
        return Expressions(self, {}, names).value(tree.body)


# From generated source to machine code.


def compile_source(source: str, dtype: str, path: str, target: Processor | None = None) -> bytes:
    """An object file that holds the `train` of this source.

    It is for the processor that this runs on, unless a `target` is given.

    Raises:
        LanguageError: the source is wrong.
    """
    definition = generated(source, path)
    kinds = [_kind(kind, dtype) for kind in ARGUMENTS.values()]
    translator = Translator(definition, SYMBOL, kinds, dtype)
    for argument in translator.function.args:
        # Without noalias, LLVM guards every loop by a check for overlap.
        if argument.type.is_pointer:
            argument.add_attribute("noalias")
    return machine.object_file(str(translator.module), target)


def _kind(text: str, dtype: str) -> Any:
    """LLVM's type of an argument."""
    name, pointer, _ = text.partition("*")
    kind = I64 if name == "int64" else REAL[dtype if name == "real" else name]
    return kind.as_pointer() if pointer else kind
