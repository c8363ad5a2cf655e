"""From a plain function to one of LLVM's."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

from llvmlite import ir

from nnrun.compiler.language import definitions
from nnrun.compiler.language.code import Code
from nnrun.compiler.language.definitions import Definition
from nnrun.compiler.language.expressions import Expressions
from nnrun.compiler.language.fusing import fuse
from nnrun.compiler.language.scope import Scope


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
        known = function if isinstance(function, Definition) else definitions.of(function)
        return Scope(self, known, constants or {}).call(values)

    def subroutine(self, function: FunctionType, values: list[Any]) -> None:
        """Call a function that is translated once for the module and the tuples it gets."""
        names = definitions.of(function).parameters
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
