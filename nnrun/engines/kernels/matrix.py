"""Matrix products by tiles: z = b + x w, dx = dz wᵀ, w -= rate xᵀ dz; whether zeros are skipped."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.compiler import machine
from nnrun.compiler.code import (
    I32,
    I64,
    Code,
    integers,
    intrinsic,
    read,
    real,
    room,
    spread,
    subroutine,
    write,
)
from nnrun.engines.kernels import sizes
from nnrun.engines.kernels.primitives import pointer, row_range
from nnrun.engines.kernels.scratch import STRIPS
from nnrun.engines.kernels.sizes import BLOCK, ROWS, SPARSE, padded

# Masks of nonzeros, and whether they are so few that zeros are skipped.


def nonzeros(task, n, x, x_row, size, masks, capacity, counts, rows):
    """The masks of a block of rows, and the number of its nonzeros; NaN is one.

    Bit i of a row's word b is that of number 64 b + i. The words b of all rows lie together, and
    are `capacity` rows from the next.
    """
    x, masks, counts = pointer(x), integers(masks), integers(counts)
    first, last = row_range(task, rows, n)
    total = 0
    for r in range(first, last):
        row = x + r * x_row
        for i in range(0, size, BLOCK):
            count = min(BLOCK, size - i)
            word = 0
            if count == BLOCK:
                word = marked(row + i)
            else:
                for j in range(count):
                    word = word + ((1 << j) if row[i + j] != 0 else 0)
            total += ones(word)
            masks[i // BLOCK * capacity + r] = word
    counts[task] = total


def is_sparse(counts, counted, n, size):
    """Whether zeros of n rows are skipped, from the nonzeros of each `counted` rows.

    Without counts they are not.
    """
    total, most = 0, -1
    if counts != 0:
        found = integers(counts)
        for block in range((n + counted - 1) // counted):
            total += found[block]
        most = n * size * SPARSE // 100
    return total <= most


@intrinsic
def marked(t: Code, place: Any) -> Any:
    """The mask of `BLOCK` numbers."""
    kind = ir.VectorType(t.real, BLOCK)
    values = t.builder.load(t.builder.bitcast(place, kind.as_pointer()), align=t.size)
    differ = t.builder.fcmp_unordered("!=", values, ir.Constant(kind, None))
    return t.builder.bitcast(differ, I64)


@intrinsic
def ones(t: Code, word: Any) -> Any:
    """The number of set bits."""
    return t.call("llvm.ctpop", word)


# The parts of a matrix product: a tile of the result, a square of turned weights.
#
# The size of a tile depends on the processor's registers; its numbers do not.

# Three registers wide, so that of 32 registers 24 hold sums, and of 16 twelve.
_TALLEST = {64: 8, 32: 4, 16: 4}


@intrinsic
def strip(t: Code) -> int:
    """Numbers of a row in a strip."""
    return sizes.strip(t.dtype)


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
    """Zeros, as many as a strip is wide."""
    constant = t.module.globals.get("zeros")
    if constant is None:
        kind = ir.ArrayType(t.real, sizes.strip(t.dtype))
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


# Matrix products: z = b + x w, dx = dz wᵀ, w -= rate xᵀ dz.
#
# Each number of a result is one chain of fused multiply-adds over the inner index, in order:
# neither tiles nor threads change its bits. `sizes` describes the layout of the weights and the
# tasks.

# Of LLVM's passes, the one that moves variables into registers.
LEVEL = 1


def product(task, n, x, x_row, w, b, z, z_row, inputs, units, rows, counts, counted):
    """z = b + x w for a strip of units and some rows."""
    count = (padded(units) + strip() - 1) // strip()
    first, top = task % count * strip(), task // count * rows
    width, rows = min(strip(), padded(units) - first), min(rows, n - top)
    x, w, z = pointer(x) + top * x_row, pointer(w) + first * padded(inputs), pointer(z) + first
    z = z + top * z_row
    begin, begin_row = pointer(b) + first if b != 0 else zeros(), 0
    block = STRIPS * strip()
    if rows > 0 and not is_sparse(counts, counted, n, inputs):
        for i in range(0, inputs, block):
            multiply(
                x + i, x_row, 1, w + i * width, width, z, z_row, begin, begin_row,
                rows, width, min(block, inputs - i), real(0.0), False,
            )  # fmt: skip
            begin, begin_row = z, z_row


def product_back(task, n, scratch, dz, dz_row, w, dx, dx_row, inputs, units, counts, counted):
    """dx = dz wᵀ for some inputs: with turned weights it is a product like z."""
    first = task * strip()
    width = min(strip(), padded(inputs) - first)
    block = STRIPS * strip()
    dz, w, dx, turned = pointer(dz), pointer(w), pointer(dx) + first, pointer(scratch)
    begin, begin_row = zeros(), 0
    terms = 0 if is_sparse(counts, counted, n, units) else units
    for j in range(0, terms, block):
        steps = min(block, units - j)
        turn_weights(w, padded(inputs), padded(units), first, width, j, steps, turned)
        multiply(
            dz + j, dz_row, 1, turned, width, dx, dx_row, begin, begin_row, n, width, steps,
            real(0.0), False,
        )  # fmt: skip
        begin, begin_row = dx, dx_row


def turn_weights(w, inputs, units, first, width, unit, count, turned):
    """The weights of some inputs and units as (units, inputs)."""
    for j in range(unit, unit + count, lanes()):
        block = j // strip() * strip()
        row = min(strip(), units - block)
        source = w + block * inputs + first * row + (j - block)
        for i in range(0, width, lanes()):
            turn_square(source + i * row, row, turned + (j - unit) * width + i, width)


def product_update(
    task, n, rate, scratch, x, x_row, dz, dz_row, w, stored, inputs, units, descend, counts,
    counted,
):  # fmt: skip
    """w -= rate xᵀ dz for some inputs, or w = xᵀ dz."""
    first = task * strip()
    count = min(strip(), inputs - first)
    x, dz, w, sums = pointer(x) + first, pointer(dz), pointer(w), pointer(scratch)
    last = (n - 1) // ROWS * ROWS
    if count > 0 and not is_sparse(counts, counted, n, inputs):
        for j in range(0, units, strip()):
            width = min(strip(), padded(units) - j)
            begin, begin_row = zeros(), 0
            for r in range(0, last, ROWS):
                multiply(
                    x + r * x_row, 1, x_row, dz + r * dz_row + j, dz_row, sums, width,
                    begin, begin_row, count, width, ROWS, real(0.0), False,
                )  # fmt: skip
                begin, begin_row = sums, width
            multiply(
                x + last * x_row, 1, x_row, dz + last * dz_row + j, dz_row,
                w + j * stored + first * width, width, begin, begin_row,
                count, width, n - last, real(-rate), descend != 0,
            )  # fmt: skip


@subroutine
def turn_square(source, row, turned, turned_row):
    """Turn as many inputs and units as a register has numbers. Inlined, its addresses spill."""
    turn(source, row, turned, turned_row)


@subroutine
def multiply(
    a, a_row, a_step, b, b_step, c, c_row, begin, begin_row, rows, width, steps, factor, add
):  # fmt: skip
    """C = begin + a b, or c += factor (begin + a b), tile by tile."""
    wide = 3 * lanes()
    whole = width // wide * wide
    for j in range(0, whole, wide):
        panel(
            3, (a, a_row, a_step), (b + j, b_step), (c + j, c_row), (begin + j, begin_row),
            rows, steps, (factor, add),
        )  # fmt: skip
    for registers in range(1, 3):
        if width - whole == registers * lanes():
            panel(
                registers, (a, a_row, a_step), (b + whole, b_step), (c + whole, c_row),
                (begin + whole, begin_row), rows, steps, (factor, add),
            )  # fmt: skip


def panel(registers, a, b, c, begin, rows, steps, update):
    """All rows of c, a few registers wide: tiles as high as can be, then lower ones."""
    done = 0
    for halvings in range(4):
        if tallest() >> halvings:
            done = tiles(
                tallest() >> halvings, registers, a, b, c, begin, done, rows, steps, update
            )


def tiles(height, registers, a, b, c, begin, done, rows, steps, update):
    """Tiles of a height for the rows that are left, as long as they fill them; the rows done."""
    last = rows // height * height
    for i in range(done, last, height):
        tile(
            height, registers, (a[0] + i * a[1], a[1], a[2]), b, (c[0] + i * c[1], c[1]),
            (begin[0] + i * begin[1], begin[1]), steps, update,
        )  # fmt: skip
    return last
