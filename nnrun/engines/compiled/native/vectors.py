# mypy: disallow-untyped-decorators=False
"""The one loop that LLVM does not vectorise by itself, since it may not reorder a sum."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.native.memory import arrayobj, cgutils, intrinsic, types

REGISTER = 64  # bytes
SUMS = 4


@intrinsic
def dot(typing_context: Any, x: Any, w: Any, row: Any) -> Any:
    """The product of x with a row of w, both as long as the row: a multiple of a register.

    Four registers sum up side by side; then they and the numbers in them are added as a tree.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = context.get_value_type(x.dtype)
        size = context.get_abi_sizeof(number)
        lanes = REGISTER // size
        vector = ir.VectorType(number, lanes)
        left, right = (
            arrayobj.make_array(kind)(context, builder, value)
            for kind, value in zip((x, w), arguments[:2], strict=True)
        )
        length = cgutils.unpack_tuple(builder, right.shape)[1]
        weights = builder.gep(right.data, [builder.mul(arguments[2], length)], inbounds=True)
        sums = [cgutils.alloca_once(builder, vector) for _ in range(SUMS)]
        for place in sums:
            builder.store(ir.Constant(vector, None), place)

        def load(base: Any, index: Any) -> Any:
            pointer = builder.gep(base, [index], inbounds=True)
            return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=size)

        def add(index: Any, place: Any) -> None:
            total = fma(builder, load(left.data, index), load(weights, index), builder.load(place))
            builder.store(total, place)

        def constant(value: int) -> Any:
            return context.get_constant(types.intp, value)

        whole = builder.and_(length, constant(-SUMS * lanes))
        with cgutils.for_range_slice(builder, constant(0), whole, constant(SUMS * lanes)) as loop:
            for part, place in enumerate(sums):
                add(builder.add(loop[0], constant(part * lanes)), place)
        with cgutils.for_range_slice(builder, whole, length, constant(lanes)) as loop:
            add(loop[0], sums[0])
        a, b, c, d = (builder.load(place) for place in sums)
        total = builder.fadd(builder.fadd(a, b), builder.fadd(c, d))
        return _across(builder, total, lanes)

    return x.dtype(x, w, row), generate


def fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c for LLVM's values, of a floating-point type or vectors of one; rounded once."""
    if not isinstance(a.type, ir.VectorType):
        return builder.fma(a, b, c)
    suffix = f"v{a.type.count}{a.type.element.intrinsic_name}"
    signature = ir.FunctionType(a.type, [a.type] * 3)
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.fma.{suffix}")
    return builder.call(function, [a, b, c])


def _across(builder: Any, vector: Any, lanes: int) -> Any:
    """The sum of the numbers in a register: its halves added, and so on."""
    while lanes > 1:
        lanes //= 2
        halves = [
            builder.shuffle_vector(
                vector,
                vector,
                ir.Constant(
                    ir.VectorType(ir.IntType(32), lanes), list(range(start, start + lanes))
                ),
            )
            for start in (0, lanes)
        ]
        vector = builder.fadd(*halves)
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


@cache
def tile(rows: int, registers: int) -> Any:
    """A function that adds a piece of a matrix product, c += factor a b.

    The piece is `rows` high and `registers` wide, and stays in registers while the sum runs over
    `steps`. Its arguments are block, offset, and strides: of a for a step down the rows and for
    a step of the sum, of b for a step of the sum, of c for a row.
    """

    @intrinsic
    def add_product(
        typing_context: Any,
        a: Any, a_start: Any, a_row: Any, a_step: Any,
        b: Any, b_start: Any, b_step: Any,
        c: Any, c_start: Any, c_row: Any,
        steps: Any, factor: Any,
    ) -> Any:  # fmt: skip
        signature = types.void(
            a, a_start, a_row, a_step, b, b_start, b_step, c, c_start, c_row, steps, factor
        )

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _tile(context, builder, a.dtype, arguments, rows, registers)

        return signature, generate

    return add_product


def _tile(context: Any, builder: Any, dtype: Any, arguments: Any, rows: int, registers: int) -> Any:
    a, a_start, a_row, a_step, b, b_start, b_step, c, c_start, c_row, steps, factor = arguments
    number = context.get_value_type(dtype)
    size = context.get_abi_sizeof(number)
    lanes = REGISTER // size
    vector = ir.VectorType(number, lanes)

    def constant(value: int) -> Any:
        return context.get_constant(types.intp, value)

    def address(base: Any, *offsets: Any) -> Any:
        total = offsets[0]
        for offset in offsets[1:]:
            total = builder.add(total, offset)
        return builder.gep(base, [total], inbounds=True)

    def whole(pointer: Any) -> Any:
        return builder.bitcast(pointer, vector.as_pointer())

    def spread(value: Any) -> Any:
        first = builder.insert_element(
            ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
        )
        mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        return builder.shuffle_vector(first, first, mask)

    sums = [[cgutils.alloca_once(builder, vector) for _ in range(registers)] for _ in range(rows)]
    for line in sums:
        for place in line:
            builder.store(ir.Constant(vector, None), place)
    with cgutils.for_range(builder, steps) as loop:
        at = address(b, b_start, builder.mul(loop.index, b_step))
        right = [
            builder.load(whole(address(at, constant(part * lanes))), align=size)
            for part in range(registers)
        ]
        at = address(a, a_start, builder.mul(loop.index, a_step))
        for row, line in enumerate(sums):
            left = spread(builder.load(address(at, builder.mul(constant(row), a_row))))
            for place, values in zip(line, right, strict=True):
                builder.store(fma(builder, left, values, builder.load(place)), place)
    scale = spread(factor)
    for row, line in enumerate(sums):
        at = address(c, c_start, builder.mul(constant(row), c_row))
        for part, place in enumerate(line):
            target = whole(address(at, constant(part * lanes)))
            total = fma(builder, scale, builder.load(place), builder.load(target, align=size))
            builder.store(total, target, align=size)
    return context.get_dummy_value()
