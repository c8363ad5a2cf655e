"""One function of machine code under construction: its variables, loops, addresses and types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

from llvmlite import ir

from nnrun.compiler.language.kinds import (
    BYTES,
    DOUBLE,
    I1,
    I32,
    I64,
    REAL,
    REGISTER,
    is_float,
    is_integer,
    is_vector,
)


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that writes code itself: translation calls `f(t, *values)`, with t the `Code`.

    Values and results are LLVM's, or Python's if they are constant.
    """
    function.translates = True  # type: ignore[attr-defined]
    return function


def subroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is compiled once and called from several places, instead of inlined.

    Its arguments have the types of the first call. Tuples of constants are not arguments: it is
    compiled once for each of them. It returns nothing.
    """
    function.stays = True  # type: ignore[attr-defined]
    return function


class Code(ABC):
    """One function of LLVM's, empty but for its entry.

    Intrinsics and operators write into it; `Translator` fills it from a plain function.

    Args:
        symbol: its name in the machine code.
        arguments: LLVM's types.
        dtype: what `real` is, float64 or float32.
        module: that it becomes a part of; a new one by default.
    """

    def __init__(
        self, symbol: str, arguments: Sequence[Any], dtype: str, module: ir.Module | None = None
    ) -> None:
        self.dtype = dtype
        self.real: Any = REAL[dtype]
        self.size = BYTES[self.real]
        self.lanes = REGISTER // self.size
        self.module = module or ir.Module(name=symbol)
        kind = ir.FunctionType(ir.VoidType(), arguments)
        self.function: Any = ir.Function(self.module, kind, name=symbol)
        self.entry: Any = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.builder: Any = ir.IRBuilder(self.function.append_basic_block("body"))

    @abstractmethod
    def inline(
        self, function: FunctionType, values: list[Any], constants: Mapping[str, Any] | None = None
    ) -> Any:
        """Write what a function does with these arguments; what it returns."""

    @abstractmethod
    def subroutine(self, function: FunctionType, values: list[Any]) -> None:
        """Call a function that is translated once for the module."""

    @abstractmethod
    def evaluate(self, text: str, names: Mapping[str, Any]) -> Any:
        """The value of an expression with these names."""

    def loop(self, start: Any, stop: Any, step: Any, once: Callable[[Any], object]) -> None:
        """once(value) for value in range(start, stop, step), with a step above 0."""
        stop, step = self.integer(stop), self.integer(step)
        counter = self.place(I64)
        self.builder.store(self.integer(start), counter)

        def more() -> Any:
            return self.builder.icmp_signed("<", self.builder.load(counter), stop)

        def next_one() -> None:
            value = self.builder.load(counter)
            once(value)
            self.builder.store(self.builder.add(value, step, flags=["nsw"]), counter)

        self.repeat(more, next_one)

    def repeat(self, more: Callable[[], Any], once: Callable[[], object]) -> None:
        """Repeat as long as there is more."""
        builder = self.builder
        head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        builder.cbranch(more(), body, after)
        builder.position_at_end(body)
        once()
        builder.branch(head)
        builder.position_at_end(after)

    def place(self, kind: Any) -> Any:
        """Room for a variable on the stack: its address."""
        return self.entry.alloca(kind)

    def address(self, base: Any, index: Any) -> Any:
        """The place of a number after an address, or in an array."""
        if not isinstance(base, ir.Value):  # an array of a known shape (`views.View`)
            return base.address(self, index)
        return self.builder.gep(base, [self.integer(index)], inbounds=True)

    def integer(self, value: Any) -> Any:
        """An int64, of a constant too."""
        return self.typed(value, I64)

    def number(self, value: Any) -> Any:
        """A `real`, of a constant or an integer too."""
        return self.typed(value, self.real)

    def variable(self, value: Any) -> Any:
        """A value for a variable, of a constant too."""
        if isinstance(value, ir.Value):
            return value
        if isinstance(value, bool):
            return ir.Constant(I1, value)
        return self.integer(value) if isinstance(value, int) else self.number(value)

    def typed(self, value: Any, kind: Any) -> Any:
        """A value as one of this type, if it is of the same sort or a constant."""
        if isinstance(value, ir.Value) and value.type == kind:
            return value
        if is_vector(kind):
            return self.spread(self.typed(value, kind.element), kind.count)
        if not isinstance(value, ir.Value):
            return ir.Constant(kind, value)
        given = value.type
        if is_integer(given) and is_float(kind):
            return self.builder.sitofp(value, kind)
        if is_integer(given) and is_integer(kind):
            wider = kind.width > given.width
            return (self.builder.sext if wider else self.builder.trunc)(value, kind)
        if is_float(given) and is_float(kind):
            return (self.builder.fpext if kind == DOUBLE else self.builder.fptrunc)(value, kind)
        raise TypeError(f"{given} is no {kind}")

    def spread(self, number: Any, lanes: int) -> Any:
        """The vector that has this number in all its lanes."""
        kind = ir.VectorType(number.type, lanes)
        if isinstance(number, ir.Constant):
            return ir.Constant(kind, [number] * lanes)
        first = self.builder.insert_element(ir.Constant(kind, ir.Undefined), number, I32(0))
        mask = ir.Constant(ir.VectorType(I32, lanes), None)
        return self.builder.shuffle_vector(first, first, mask)

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
