"""Functions written straight in LLVM's language: loops that carry values, addresses, vectors.

The code needs no optimising pass, only the choice of registers. Integers are of 64 bits, and
distances in memory are in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.kernels import KERNELS
from nnrun.engines.compiled.kernels.sizes.scratch import lines

INTEGER = ir.IntType(64)
POINTER = ir.PointerType()
_BYTE = ir.IntType(8)
_REALS: dict[str, Any] = {"float32": ir.FloatType(), "float64": ir.DoubleType()}
SIZES = {"float32": 4, "float64": 8}

Value = Any  # an `ir.Value`, which llvmlite does not annotate


def written(kernel: Callable[[Any, str, str], None]) -> Any:
    """Mark a function as one that writes a kernel: f(module, symbol, dtype)."""
    kernel.written = True  # type: ignore[attr-defined]
    return kernel


class Writer:
    """Writes the body of one function.

    Args:
        function: that has no block yet.
        dtype: of its numbers.
    """

    def __init__(self, function: Any, dtype: str) -> None:
        self.function = function
        self.dtype = dtype
        self.real = _REALS[dtype]
        self.size = SIZES[dtype]
        self.b = ir.IRBuilder(function.append_basic_block())

    # Integers.

    def integer(self, value: int | Value) -> Value:
        return ir.Constant(INTEGER, value) if isinstance(value, int) else value

    def add(self, a: int | Value, b: int | Value) -> Value:
        return self.b.add(self.integer(a), self.integer(b))

    def sub(self, a: int | Value, b: int | Value) -> Value:
        return self.b.sub(self.integer(a), self.integer(b))

    def mul(self, a: int | Value, b: int | Value) -> Value:
        return self.b.mul(self.integer(a), self.integer(b))

    def div(self, a: int | Value, b: int | Value) -> Value:
        return self.b.sdiv(self.integer(a), self.integer(b))

    def compare(self, sign: str, a: int | Value, b: int | Value) -> Value:
        return self.b.icmp_signed(sign, self.integer(a), self.integer(b))

    def within(self, index: Value, length: Value) -> Value:
        """0 ≤ index < length."""
        return self.b.icmp_unsigned("<", index, length)

    def select(self, condition: Value, a: int | Value, b: int | Value) -> Value:
        return self.b.select(condition, self.integer(a), self.integer(b))

    def least(self, a: int | Value, b: int | Value) -> Value:
        return self.select(self.compare("<", a, b), a, b)

    def largest(self, a: int | Value, b: int | Value) -> Value:
        return self.select(self.compare(">", a, b), a, b)

    # Memory.

    def at(self, base: Value, *distances: int | Value) -> Value:
        """The address `base` + the sum of the distances."""
        total = distances[0]
        for distance in distances[1:]:
            total = self.add(total, distance)
        return self.b.gep(base, [self.integer(total)], source_etype=_BYTE)

    def entry(self, table: Value, index: int | Value) -> Value:
        """An integer of a table of them."""
        place = self.b.gep(table, [self.integer(index)], source_etype=INTEGER)
        return self.load(INTEGER, place)

    def load(self, kind: Any, address: Value) -> Value:
        return self.b.load(address, align=self._align(kind), typ=kind)

    def store(self, value: Value, address: Value) -> None:
        self.b.store(value, address, align=self._align(value.type))

    def _align(self, kind: Any) -> int:
        return 8 if kind == INTEGER else self.size

    # Numbers and vectors of them.

    def vector(self, lanes: int) -> Any:
        return ir.VectorType(self.real, lanes)

    def zeros(self, lanes: int) -> Value:
        return ir.Constant(self.vector(lanes), None)

    def spread(self, number: Value, lanes: int) -> Value:
        """The vector that has the number in all its lanes."""
        kind = ir.VectorType(number.type, lanes)
        index = ir.IntType(32)
        first = self.b.insert_element(
            ir.Constant(kind, ir.Undefined), number, ir.Constant(index, 0)
        )
        mask = ir.Constant(ir.VectorType(index, lanes), [0] * lanes)
        return self.b.shuffle_vector(first, first, mask)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a b + c of vectors, with one rounding."""
        module, kind = self.function.module, a.type
        name = f"llvm.fma.v{kind.count}f{8 * self.size}"
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(kind, [kind] * 3), name)
        return self.b.call(function, [a, b, c])

    # Control.

    def repeat(
        self,
        count: int | Value,
        body: Callable[..., Sequence[Value] | None],
        values: Sequence[Value] = (),
        start: int | Value = 0,
        step: int | Value = 1,
    ) -> list[Value]:
        """`values` after body(index, *values) -> values for index in range(start, count, step)."""

        def once(index: Value, *carried: Value) -> list[Value]:
            following = body(index, *carried) or ()
            return [self.add(index, step), *following]

        begun = [self.integer(start), *values]
        return self.loop(lambda index, *_: self.compare("<", index, count), once, begun)[1:]

    def loop(
        self,
        condition: Callable[..., Value],
        body: Callable[..., Sequence[Value]],
        values: Sequence[Value],
    ) -> list[Value]:
        """`values` after body(*values) -> values while condition(*values)."""
        b = self.b
        inside, after = (self.function.append_basic_block() for _ in range(2))
        before = b.block
        b.cbranch(condition(*values), inside, after)
        b.position_at_end(inside)
        carried = [b.phi(value.type) for value in values]
        following = list(body(*carried))
        again = condition(*following)
        end = b.block
        b.cbranch(again, inside, after)
        b.position_at_end(after)
        results = [b.phi(value.type) for value in values]
        for value, later, phi, result in zip(values, following, carried, results, strict=True):
            for node in (phi, result):
                node.add_incoming(value, before)
                node.add_incoming(later, end)
        return results

    def when(self, condition: Value, body: Callable[[], object]) -> None:
        with self.b.if_then(condition):
            body()

    def call(self, function: Any, *arguments: int | Value) -> None:
        """Call a private function."""
        self.b.call(
            function, [self.integer(a) for a in arguments], cconv=function.calling_convention
        )

    def end(self) -> None:
        self.b.ret_void()


@dataclass(frozen=True)
class Number:
    """An integer of a function's, with Python's operators."""

    w: Writer
    value: Value

    def __add__(self, other: int | Number) -> Number:
        return Number(self.w, self.w.add(self.value, _plain(other)))

    def __mul__(self, other: int | Number) -> Number:
        return Number(self.w, self.w.mul(self.value, _plain(other)))

    def __and__(self, other: int | Number) -> Number:
        return Number(self.w, self.w.b.and_(self.value, self.w.integer(_plain(other))))

    def or_larger(self, other: int | Number) -> Number:
        return Number(self.w, self.w.largest(self.value, _plain(other)))


def _plain(number: int | Number) -> int | Value:
    return number.value if isinstance(number, Number) else number


class Kernel(Writer):
    """Writes an exported function with the arguments of kernels.

    Args:
        module: gets the function.
        name: in the table of kernels, and of the function.
        dtype: of its numbers.
    """

    def __init__(self, module: Any, name: str, dtype: str) -> None:
        arguments = [POINTER, *[INTEGER] * 4, ir.DoubleType(), POINTER]
        super().__init__(
            ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name), dtype
        )
        parameters, self.task, self.n, _, _, _, self._scratch = self.function.args
        self._name = name
        self._values = {
            name: self.entry(parameters, n) for n, name in enumerate(KERNELS[name].parameters)
        }

    def __getitem__(self, name: str) -> Value:
        """A parameter."""
        return self._values[name]

    def bytes(self, name: str) -> Value:
        """A parameter that is a distance in numbers."""
        return self.mul(self[name], self.size)

    def pointer(self, name: str) -> Value:
        return self.b.inttoptr(self[name], POINTER)

    def rows(self, count: Value) -> tuple[Value, Value]:
        """The task's first of `count` rows, and the one after its last."""
        first = self.mul(self.task, self["rows"])
        return first, self.least(self.add(first, self["rows"]), count)

    def clear(self, place: Value, length: int | Value) -> None:
        """Write zeros, eight at a time."""
        self.repeat(
            length, lambda at: self.store(self.zeros(8), self.at(place, at)), step=8 * self.size
        )

    def pieces(self) -> list[Value]:
        """The addresses of the kernel's pieces of scratch memory."""
        known: dict[str, Any] = {name: Number(self, one) for name, one in self._values.items()}
        lengths = KERNELS[self._name].pieces({**known, "itemsize": self.size})
        places = [self._scratch]
        for length in lengths[:-1]:
            places.append(self.at(places[-1], _plain(lines(length))))
        return places
