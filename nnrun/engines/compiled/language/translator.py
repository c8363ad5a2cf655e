"""From a plain function to one of LLVM's."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.language.fusing import fuse
from nnrun.engines.compiled.language.scope import (
    DOUBLE,
    I32,
    I64,
    LanguageError,
    Scope,
    Slot,
    is_float,
    is_integer,
)

__all__ = ["DOUBLE", "I32", "I64", "LanguageError", "Translator", "intrinsic", "subroutine"]

REGISTER = 64  # bytes


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is called while translating: `f(t, *values)`, with t the `Translator`.

    Its values are LLVM's, or Python's where they are constant; so is what it returns.
    """
    function.translates = True  # type: ignore[attr-defined]
    return function


def subroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that stays one in the machine code, once for all that call it.

    Its arguments have the types of the first call's; it returns nothing.
    """
    function.stays = True  # type: ignore[attr-defined]
    return function


class Translator:
    """Translates one function, with all that it calls.

    Args:
        function: plain.
        symbol: its name in the machine code.
        arguments: LLVM's types.
        dtype: what `real` is, float64 or float32.
        constants: what further names mean in the function.
        module: that it becomes a part of; a new one by default.
    """

    def __init__(
        self,
        function: FunctionType,
        symbol: str,
        arguments: Sequence[Any],
        dtype: str,
        constants: dict[str, Any] | None = None,
        module: ir.Module | None = None,
    ) -> None:
        self.dtype = dtype
        self.double = dtype == "float64"
        self.real: Any = DOUBLE if self.double else ir.FloatType()
        self.lanes = REGISTER // (8 if self.double else 4)
        self.module = module or ir.Module(name=symbol)
        kind = ir.FunctionType(ir.VoidType(), arguments)
        self.function: Any = ir.Function(self.module, kind, name=symbol)
        self.entry: Any = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.builder: Any = ir.IRBuilder(self.function.append_basic_block("body"))
        first = self.builder.block
        Scope(self, function, constants or {}).call(list(self.function.args))
        self.builder.ret_void()
        self.entry.branch(first)

    def slot(self, kind: Any) -> Slot:
        """A new variable."""
        return Slot(self.entry.alloca(kind))

    def integer(self, value: Any) -> Any:
        """An int64, of a constant too."""
        return self.typed(value, I64)

    def number(self, value: Any) -> Any:
        """A `real`, of a constant or an integer too."""
        return self.typed(value, self.real)

    def typed(self, value: Any, kind: Any) -> Any:
        """A value as one of this type, if it is of the same sort or a constant."""
        if not isinstance(value, ir.Value):
            return ir.Constant(kind, value)
        if value.type == kind:
            return value
        given = value.type
        if is_integer(given) and is_float(kind):
            return self.builder.sitofp(value, kind)
        if is_integer(given) and is_integer(kind):
            wider = kind.width > given.width
            return (self.builder.sext if wider else self.builder.trunc)(value, kind)
        if is_float(given) and is_float(kind):
            return (self.builder.fpext if kind == DOUBLE else self.builder.fptrunc)(value, kind)
        raise TypeError(f"{given} is no {kind}")

    def subroutine(self, function: FunctionType, values: list[Any]) -> None:
        """Call a function that is translated once for the module."""
        name = f"{function.__module__}.{function.__name__}"
        found = self.module.globals.get(name)
        if found is None:
            kinds = [value.type for value in values]
            found = Translator(function, name, kinds, self.dtype, module=self.module).function
            found.linkage = "internal"
            found.attributes.add("noinline")
        given = found.function_type.args
        arguments = [self.typed(value, kind) for value, kind in zip(values, given, strict=True)]
        self.builder.call(found, arguments)

    def bits(self, number: Any) -> Any:
        """The bits of a number, as an integer of its size."""
        return self.builder.bitcast(self.number(number), I64 if self.double else I32)

    def from_bits(self, integer: Any) -> Any:
        """The number that has these bits."""
        return self.builder.bitcast(integer, self.real)

    def evaluate(self, text: str, names: dict[str, Any]) -> Any:
        """The value of an expression in which names mean these values."""
        tree = ast.parse(text, mode="eval")
        fuse(tree)
        return Scope(self, None, names).value(tree.body)

    def call(self, name: str, *values: Any) -> Any:
        """LLVM's function of this name, such as `llvm.fma`, for numbers or vectors of one type."""
        kind = values[0].type
        element = getattr(kind, "element", kind)
        count = f"v{kind.count}" if element is not kind else ""
        full = f"{name}.{count}{element.intrinsic_name}"
        function = self.module.globals.get(full)
        if function is None:
            types = ir.FunctionType(kind, [kind] * len(values))
            function = ir.Function(self.module, types, full)
        return self.builder.call(function, values)
