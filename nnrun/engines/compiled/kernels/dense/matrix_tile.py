"""The parts of a matrix product: a tile of the result, a square of turned weights.

The size of a tile depends on the processor's registers; its numbers do not.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.compiler import machine
from nnrun.compiler.code import I32, I64, Code, intrinsic, read, room, spread, write
from nnrun.engines.compiled.kernels.sizes import shapes

# Three registers wide, so that of 32 registers 24 hold sums, and of 16 twelve.
_TALLEST = {64: 8, 32: 4, 16: 4}


@intrinsic
def strip(t: Code) -> int:
    """Numbers of a row in a strip."""
    return shapes.strip(t.dtype)


@intrinsic
def lanes(t: Code) -> int:
    """Numbers in a register of the processor."""
    return machine.register() // t.size


@intrinsic
def tallest(t: Code) -> int:
    """Most rows of a tile."""
    return _TALLEST[machine.register()]


def tile(rows, registers, a, b, c, begin, steps, update):
    """C = begin + a b, or c += factor (begin + a b), in registers while the sums run.

    Args:
        rows: of the tile.
        registers: the tile's width.
        a: address, distance to the next row, distance to the next step.
        b: address, distance to the next step.
        c: address, distance to the next row.
        begin: address, distance to the next row.
        steps: of the sums, at least one.
        update: the factor, and whether c is added to.
    """
    zero = spread(0, lanes())
    sums, weights = room(rows * registers, zero), room(registers, zero)
    for r in range(rows):
        for part in range(registers):
            place = begin[0] + (r * begin[1] + part * lanes())
            sums[r * registers + part] = read(place, lanes())
    left, right = a[0], b[0]
    for _ in range(steps):
        for part in range(registers):
            weights[part] = read(right + part * lanes(), lanes())
        place = left
        for r in range(rows):
            number = place[0]
            for part in range(registers):
                sums[r * registers + part] = number * weights[part] + sums[r * registers + part]
            place = place + a[1]
        left, right = left + a[2], right + b[1]
    put_tile(rows, registers, sums, c, update)


def put_tile(rows, registers, sums, c, update):
    """Write a tile's sums, or add them to c."""
    if update[1]:
        for r in range(rows):
            for part in range(registers):
                place = c[0] + (r * c[1] + part * lanes())
                total = update[0] * sums[r * registers + part] + read(place, lanes())
                write(total, place)
    else:
        for r in range(rows):
            for part in range(registers):
                write(sums[r * registers + part], c[0] + (r * c[1] + part * lanes()))


@intrinsic
def turn(t: Code, source: Any, row: Any, turned: Any, turned_row: Any) -> None:
    """Transpose a square of as many numbers as a register holds.

    Quarters of 64 bytes, from lines that are as far apart, come together as they are read, which
    costs processors less than to move them from register to register; then the small squares
    within the quarters are transposed.
    """
    builder, count, quarter = t.builder, machine.register() // t.size, 16 // t.size

    def shuffled(a: Any, b: Any, mask: list[int]) -> Any:
        return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(mask)), mask))

    def joined(parts: list[Any]) -> Any:
        while len(parts) > 1:
            whole = list(range(2 * parts[0].type.count))
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [shuffled(a, b, whole) for a, b in pairs]
        return parts[0]

    lines = []
    for column in range(0, count, quarter):
        places = _lines(t, builder.gep(source, [I64(column)]), row, count)
        parts = [read(t, place, quarter) for place in places]
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
        write(t, line, place)


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


def _lines(t: Code, base: Any, row: Any, count: int) -> list[Any]:
    """The addresses of this many rows."""
    found = [base]
    while len(found) < count:
        found.append(t.builder.gep(found[-1], [t.integer(row)]))
    return found
