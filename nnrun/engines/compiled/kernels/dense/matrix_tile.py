"""The parts of a matrix product: a tile of the result, a square of turned weights.

The size of a tile depends on the processor's registers; its numbers do not.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.kernels.sizes import shapes
from nnrun.engines.compiled.language.code import Code
from nnrun.engines.compiled.language.kinds import I32, I64
from nnrun.engines.compiled.language.marks import intrinsic
from nnrun.engines.compiled.language.vectors import spread
from nnrun.engines.compiled.llvm import machine

# Three registers wide, so that of 32 registers 24 hold sums, and of 16 twelve.
_TALLEST = {64: 8, 32: 4, 16: 4}


@intrinsic
def strip(t: Code) -> int:
    """Numbers of a row in a strip."""
    return shapes.strip(t.dtype)


@intrinsic
def lanes(t: Code) -> int:
    """Numbers in a register of the processor."""
    return machine.register() // _size(t)


@intrinsic
def tallest(t: Code) -> int:
    """Most rows of a tile."""
    return _TALLEST[machine.register()]


@intrinsic
def tile(
    t: Code, rows: int, registers: int, a: Any, b: Any, c: Any, begin: Any, steps: Any,
    update: Any, ahead: Any,
) -> None:  # fmt: skip
    """C = begin + a b, or c += factor (begin + a b), in registers while the sums run.

    Args:
        t: the translator.
        rows: of the tile.
        registers: the tile's width.
        a: address, distance to the next row, distance to the next step.
        b: address, distance to the next step.
        c: address, distance to the next row.
        begin: address, distance to the next row.
        steps: of the sums, at least one.
        update: the factor, and whether c is added to.
        ahead: where something begins that will be needed soon, and how far to go with each step.
    """
    builder = t.builder
    vector = _vector(t)
    parts = [t.integer(part * vector.count) for part in range(registers)]

    def places(where: Any) -> list[Any]:
        base, row = where
        lines = _lines(t, base, row, rows)
        return [_at(t, builder.gep(line, [part]), vector) for line in lines for part in parts]

    for place in places(c):
        prefetch(t, place)
    first = [builder.load(place, align=_size(t)) for place in places(begin)]
    before = builder.block
    body, after = (builder.append_basic_block(name) for name in ("step", "tile"))
    builder.branch(body)
    builder.position_at_end(body)
    left, right, soon, count = (builder.phi(value.type) for value in (a[0], b[0], ahead[0], steps))
    sums = [builder.phi(vector) for _ in first]
    prefetch(t, soon)
    weights = [
        builder.load(_at(t, builder.gep(right, [part]), vector), align=_size(t)) for part in parts
    ]
    numbers = [spread(t, builder.load(line), vector.count) for line in _lines(t, left, a[1], rows)]
    factors = [(number, weight) for number in numbers for weight in weights]
    later = [t.call("llvm.fma", *pair, total) for pair, total in zip(factors, sums, strict=True)]
    left_over = builder.sub(count, I64(1))
    state = [
        (left, a[0], builder.gep(left, [t.integer(a[2])])),
        (right, b[0], builder.gep(right, [t.integer(b[1])])),
        (soon, ahead[0], builder.gep(soon, [t.integer(ahead[1])])),
        (count, steps, left_over),
        *zip(sums, first, later, strict=True),
    ]
    for variable, old, new in state:
        variable.add_incoming(old, before)
        variable.add_incoming(new, body)
    builder.cbranch(builder.icmp_signed(">", left_over, I64(0)), body, after)
    builder.position_at_end(after)
    factor, add = update
    with builder.if_else(add) as (then, otherwise):
        with then:
            scale = spread(t, factor, vector.count)
            for place, total in zip(places(c), later, strict=True):
                held = builder.load(place, align=_size(t))
                builder.store(t.call("llvm.fma", scale, total, held), place, align=_size(t))
        with otherwise:
            for place, total in zip(places(c), later, strict=True):
                builder.store(total, place, align=_size(t))


@intrinsic
def turn(t: Code, source: Any, row: Any, turned: Any, turned_row: Any) -> None:
    """Transpose a square of as many numbers as a register holds.

    Quarters of 64 bytes, from lines that are as far apart, come together as they are read, which
    costs processors less than to move them from register to register; then the small squares
    within the quarters are transposed.
    """
    builder, vector = t.builder, _vector(t)
    count, quarter = vector.count, 16 // _size(t)

    def shuffled(a: Any, b: Any, mask: list[int]) -> Any:
        return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(mask)), mask))

    def joined(parts: list[Any]) -> Any:
        while len(parts) > 1:
            whole = list(range(2 * parts[0].type.count))
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [shuffled(a, b, whole) for a, b in pairs]
        return parts[0]

    piece = ir.VectorType(t.real, quarter)
    lines = []
    for column in range(0, count, quarter):
        places = _lines(t, builder.gep(source, [I64(column)]), row, count)
        parts = [builder.load(_at(t, place, piece), align=_size(t)) for place in places]
        lines += [joined(parts[first::quarter]) for first in range(quarter)]
    # The first halves of the quarters of two lines, alternating; the second halves.
    halves = [i for i in range(count) if i % quarter < quarter // 2]
    low = [number for i in halves for number in (i, i + count)]
    high = [number + quarter // 2 for number in low]
    apart = quarter // 2
    while apart:
        for first in range(count):
            if not first & apart:
                pair = lines[first], lines[first + apart]
                lines[first], lines[first + apart] = (shuffled(*pair, m) for m in (low, high))
        apart //= 2
    for line, place in zip(lines, _lines(t, turned, turned_row, count), strict=True):
        builder.store(line, _at(t, place, vector), align=_size(t))


@intrinsic
def zeros(t: Code) -> Any:
    """As many as a strip is wide."""
    constant = t.module.globals.get("zeros")
    if constant is None:
        kind = ir.ArrayType(t.real, shapes.strip(t.dtype))
        constant = ir.GlobalVariable(t.module, kind, "zeros")
        constant.initializer = ir.Constant(kind, None)
        constant.linkage, constant.global_constant, constant.align = "internal", True, 64
    return t.builder.bitcast(constant, t.real.as_pointer())


def prefetch(t: Code, place: Any, near: int = 3) -> None:
    """Prefetch an address, which need not be valid: 3 for the nearest cache."""
    byte, name = ir.IntType(8).as_pointer(), "llvm.prefetch.p0"
    function = t.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
        function = ir.Function(t.module, kind, name)
    read, data = I32(0), I32(1)
    t.builder.call(function, [t.builder.bitcast(place, byte), read, I32(near), data])


def _size(t: Code) -> int:
    return t.size


def _vector(t: Code) -> Any:
    return ir.VectorType(t.real, machine.register() // _size(t))


def _lines(t: Code, base: Any, row: Any, count: int) -> list[Any]:
    """The addresses of so many rows."""
    found = [base]
    while len(found) < count:
        found.append(t.builder.gep(found[-1], [t.integer(row)]))
    return found


def _at(t: Code, place: Any, kind: Any) -> Any:
    return t.builder.bitcast(place, kind.as_pointer())
