"""The types of the language, and their numbers and vectors as LLVM's code."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from math import prod
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
DOUBLE, FLOAT = ir.DoubleType(), ir.FloatType()
REAL: dict[str, Any] = {"float64": DOUBLE, "float32": FLOAT}
# Types of NumPy that convert numbers when called.
NUMPY: dict[Any, Any] = {np.int64: I64, np.int32: I32, np.float64: DOUBLE, np.float32: FLOAT}
BYTES = {DOUBLE: 8, FLOAT: 4}

REGISTER = 64  # bytes


class LanguageError(TypeError):
    """Source that is not in the language, and where."""


def is_vector(kind: Any) -> bool:
    """Whether a type is one of vectors."""
    return isinstance(kind, ir.VectorType)


def is_float(kind: Any) -> bool:
    """Whether a type is one of floating-point numbers, or of vectors of them."""
    return isinstance(kind.element if is_vector(kind) else kind, ir.FloatType | ir.DoubleType)


def is_integer(kind: Any) -> bool:
    """Whether a type is one of integers."""
    return isinstance(kind, ir.IntType)


def plain(value: Any) -> Any:
    """NumPy's scalars as Python's, which take the type of the other operand."""
    return value.item() if isinstance(value, np.generic) else value


# One function of machine code under construction: its variables, loops, addresses and types.


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


# Conversions of numbers and addresses, the bits of numbers, their square roots.


@intrinsic
def real(t: Code, value: Any) -> Any:
    """A number in the precision of the code."""
    return t.number(value)


@intrinsic
def double(t: Code, value: Any) -> Any:
    """A number as float64."""
    return t.typed(value, DOUBLE)


@intrinsic
def whole(t: Code, value: Any, below: Any) -> Any:
    """A number from 0 to less than `below` without its fraction, as an integer; else 0."""
    limit = t.typed(t.integer(below), value.type)
    zero = t.typed(0.0, value.type)
    fits = t.builder.and_(
        t.builder.fcmp_ordered(">=", value, zero), t.builder.fcmp_ordered("<", value, limit)
    )
    return t.builder.fptosi(t.builder.select(fits, value, zero), I64)


@intrinsic
def sqrt(t: Code, value: Any) -> Any:
    """The square root."""
    return t.call("llvm.sqrt", value) if isinstance(value, ir.Value) else math.sqrt(value)


@intrinsic
def bits(t: Code, number: Any) -> Any:
    """The bits of a number, as an integer of its size."""
    return t.builder.bitcast(number, I64 if number.type == DOUBLE else I32)


@intrinsic
def from_bits(t: Code, integer: Any) -> Any:
    """The number that has these bits."""
    return t.builder.bitcast(integer, DOUBLE if integer.type == I64 else FLOAT)


@intrinsic
def integers(t: Code, address: Any) -> Any:
    """A pointer to int64."""
    return t.builder.inttoptr(address, I64.as_pointer())


@intrinsic
def doubles(t: Code, address: Any) -> Any:
    """A pointer to float64."""
    return t.builder.inttoptr(address, DOUBLE.as_pointer())


# Arrays of a shape that is known while translating; vectors of any width;
# and dot products, which LLVM does not vectorise: that reorders a sum.


class View:
    """An array in row-major order; it exists only while translating."""

    def __init__(self, start: Any, shape: tuple[int, ...]) -> None:
        self.start = start
        self.shape = shape

    def address(self, t: Code, index: Any) -> Any:
        """The address of a number, without a check of bounds."""
        indices = index if isinstance(index, tuple) else (index,)
        if len(indices) != len(self.shape):
            raise TypeError(f"{len(indices)} indices for an array of {len(self.shape)} dimensions")
        kind = self.start.type.pointee
        for side in reversed(self.shape[1:]):
            kind = ir.ArrayType(kind, side)
        first = t.builder.bitcast(self.start, kind.as_pointer())
        return t.builder.gep(first, [t.integer(part) for part in indices], inbounds=True)

    def row(self, t: Code, index: Any) -> Any:
        """The address of a row, or of a block below the first index."""
        return self.address(t, (index, *[0] * (len(self.shape) - 1)))

    @property
    def row_length(self) -> int:
        """Numbers from one row to the next."""
        return prod(self.shape[1:])


@intrinsic
def view(t: Code, block: Any, offset: Any, shape: tuple[int, ...]) -> View:
    """The array of this shape that starts at block + offset."""
    return View(t.address(block, offset), shape)


SUMS = 4


@intrinsic
def dot(t: Code, x: View, w: View, row: Any) -> Any:
    """The product of x with a row of w, both as long as the row: a multiple of a register.

    Four registers sum up side by side; then they and the numbers in them are added as a tree.
    """
    left, right, length = x.start, w.row(t, row), w.row_length
    sums = _zeros(t, SUMS)

    def add(index: Any, place: Any) -> None:
        factors = (read(t, t.address(base, index), t.lanes) for base in (left, right))
        t.builder.store(t.call("llvm.fma", *factors, t.builder.load(place)), place)

    def add_all(start: Any) -> None:
        for part, place in enumerate(sums):
            add(t.builder.add(start, t.integer(part * t.lanes)), place)

    whole = length - length % (SUMS * t.lanes)
    t.loop(0, whole, SUMS * t.lanes, add_all)
    t.loop(whole, length, t.lanes, lambda index: add(index, sums[0]))
    a, b, c, d = (t.builder.load(place) for place in sums)
    return _across(t, t.builder.fadd(t.builder.fadd(a, b), t.builder.fadd(c, d)))


@intrinsic
def read(t: Code, address: Any, lanes: int) -> Any:
    """The vector of the numbers from an address on."""
    kind = ir.VectorType(address.type.pointee, lanes)
    return t.builder.load(t.builder.bitcast(address, kind.as_pointer()), align=t.size)


@intrinsic
def write(t: Code, vector: Any, address: Any) -> None:
    """Write a vector to an address."""
    t.builder.store(vector, t.builder.bitcast(address, vector.type.as_pointer()), align=t.size)


@intrinsic
def spread(t: Code, number: Any, lanes: int) -> Any:
    """The vector with a number in all its lanes."""
    return t.spread(t.number(number), lanes)


@intrinsic
def lane(t: Code, vector: Any, index: int) -> Any:
    """One of a vector's numbers."""
    return t.builder.extract_element(vector, I32(index))


@intrinsic
def room(t: Code, count: int, like: Any) -> View:
    """An uninitialized array of `count` values of one type, in registers."""
    place = t.place(ir.ArrayType(t.variable(like).type, count))
    return View(t.builder.gep(place, [I32(0), I32(0)]), (count,))


def _zeros(t: Code, count: int) -> list[Any]:
    """The places of this many registers of zeros."""
    places = [t.place(ir.VectorType(t.real, t.lanes)) for _ in range(count)]
    for place in places:
        t.builder.store(ir.Constant(place.type.pointee, None), place)
    return places


def _across(t: Code, vector: Any) -> Any:
    """The sum of the numbers in a register: its halves added, and so on."""
    lanes = t.lanes
    while lanes > 1:
        lanes //= 2
        kind = ir.VectorType(I32, lanes)
        halves = [
            t.builder.shuffle_vector(
                vector, vector, ir.Constant(kind, list(range(start, start + lanes)))
            )
            for start in (0, lanes)
        ]
        vector = t.builder.fadd(*halves)
    return t.builder.extract_element(vector, I32(0))
