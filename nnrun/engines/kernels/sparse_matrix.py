"""Matrix products that skip the zeros of one factor: z = b + x w, dx = dz wᵀ, w -= rate xᵀ dz.

Half of a ReLU's outputs are 0, as are its gradients and most pixels of a drawing. A term 0 · w adds
nothing to a chain of fused multiply-adds, so skipping it leaves the bits of `matrix`. Which kernel
works depends on time alone: on the number of nonzeros in the batch, counted by `nonzeros`.

Masks mark the nonzeros in a row of one factor, `BLOCK` terms at a time; as many rows of the other
factor are copied into scratch memory, a tile wide. dw is computed over the columns of x. (As its
transpose over those of dz it would make W11 1.5% faster, where x has no zeros.)

Two things may differ: weights that are not finite turn a 0 into NaN only if it is not skipped (the
checks of weights and loss find them), and -0 from underflow stays -0 where + 0 · w would make it 0.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.compiler.code import (
    I1,
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
from nnrun.engines.kernels.matrix import is_sparse, lanes, strip, turn_weights
from nnrun.engines.kernels.primitives import pointer
from nnrun.engines.kernels.sizes import BLOCK, padded, product_places, update_places

# Of LLVM's passes, the one that moves variables into registers.
LEVEL = 1
# Registers of sums: enough to hide latency, few enough for 16 registers.
WIDEST = 8


def chains(registers, word, a, a_step, b, b_step, begin, c):
    """C = begin + Σ a[i a_step] b[i b_step …] over the bits i of a word, in ascending order.

    b, begin and c are rows of this many registers.
    """
    sums, left = room(registers, spread(0, lanes())), word
    for part in range(registers):
        sums[part] = read(begin + part * lanes(), lanes())
    while left != 0:
        index = trailing(left)
        left = left & (left - 1)
        number, row = a[index * a_step], b + index * b_step
        for part in range(registers):
            sums[part] = number * read(row + part * lanes(), lanes()) + sums[part]
    for part in range(registers):
        write(sums[part], c + part * lanes())


@intrinsic
def trailing(t: Code, word: Any) -> Any:
    """The lowest bit that is set; there must be one."""
    name = "llvm.cttz.i64"
    function = t.module.globals.get(name)
    if function is None:
        function = ir.Function(t.module, ir.FunctionType(I64, [I64, I1]), name)
    return t.builder.call(function, [word, I1(1)])


def sparse_product(
    task, n, scratch, x, x_row, w, b, z, z_row, inputs, units, rows, columns, masks, capacity,
    counts, counted,
):  # fmt: skip
    """z = b + x w for a tile of units and some rows, if x is sparse."""
    count = (padded(units) + columns - 1) // columns
    first, top = task % count * columns, task // count * rows
    width, rows = min(columns, padded(units) - first), min(rows, n - top)
    x, w, z = pointer(x) + top * x_row, pointer(w), pointer(z) + first + top * z_row
    words, none = integers(masks) + top, pointer(scratch)
    begins, _ = product_places(columns)
    near = none + begins
    clear(none, width)
    begin, begin_row = pointer(b) + first if b != 0 else none, 0
    if rows > 0 and is_sparse(counts, counted, n, inputs):
        for i in range(0, inputs, BLOCK):
            steps = min(BLOCK, inputs - i)
            fetch_weights(w, padded(inputs), padded(units), first, width, i, steps, near)
            multiply(
                words + i // BLOCK * capacity, x + i, x_row, 1, near, z, z_row,
                begin, begin_row, rows, width,
            )  # fmt: skip
            begin, begin_row = z, z_row


def sparse_product_back(
    task, n, scratch, dz, dz_row, w, dx, dx_row, inputs, units, columns, masks, capacity, counts,
    counted,
):  # fmt: skip
    """dx = dz wᵀ for a tile of inputs, if dz is sparse."""
    first = task * columns
    width = min(columns, padded(inputs) - first)
    dz, w, dx, words = pointer(dz), pointer(w), pointer(dx) + first, integers(masks)
    none = pointer(scratch)
    begins, _ = product_places(columns)
    near = none + begins
    clear(none, width)
    begin, begin_row = none, 0
    if is_sparse(counts, counted, n, units):
        for j in range(0, units, BLOCK):
            steps = min(BLOCK, units - j)
            turn_weights(w, padded(inputs), padded(units), first, width, j, steps, near)
            multiply(
                words + j // BLOCK * capacity, dz + j, dz_row, 1, near, dx, dx_row,
                begin, begin_row, n, width,
            )  # fmt: skip
            begin, begin_row = dx, dx_row


def sparse_product_update(
    task, n, rate, scratch, x, x_row, dz, dz_row, w, stored, inputs, units, descend, rows, columns,
    counts, counted,
):  # fmt: skip
    """w -= rate xᵀ dz for some inputs, or w = xᵀ dz, if x is sparse."""
    first = task * rows
    count = min(rows, inputs - first)
    x, dz, w, words = pointer(x) + first, pointer(dz), pointer(w), integers(scratch)
    marks, near, sums, _ = update_places(n, rows, columns)
    none = pointer(scratch + marks)
    near, sums = none + near, none + sums
    clear(none, columns)
    if count > 0 and is_sparse(counts, counted, n, inputs):
        mark_columns(x, x_row, count, n, words)
        for j in range(0, padded(units), columns):
            width = min(columns, padded(units) - j)
            begin, begin_row = none, 0
            for r in range(0, n, BLOCK):
                steps = min(BLOCK, n - r)
                fetch(dz + r * dz_row + j, dz_row, steps, width, near, width)
                multiply(
                    words + r // BLOCK * count, x + r * x_row, 1, x_row, near, sums, width,
                    begin, begin_row, count, width,
                )  # fmt: skip
                begin, begin_row = sums, width
            for i in range(0, width, lanes()):
                place, row = placed(j + i, padded(units), stored)
                change(w + place + first * row, row, sums + i, width, count, real(-rate), descend)


@subroutine
def multiply(words, a, a_row, a_step, b, c, c_row, begin, begin_row, rows, width):
    """C = begin + a b, of the terms that are marked: by a word for each row of a."""
    widest = WIDEST * lanes()
    for j in range(0, width, widest):
        for registers in range(1, WIDEST + 1):
            if min(width - j, widest) == registers * lanes():
                for r in range(rows):
                    chains(
                        registers, words[r], a + r * a_row, a_step, b + j, width,
                        begin + r * begin_row + j, c + r * c_row + j,
                    )  # fmt: skip


def fetch_weights(w, inputs, units, first, width, i, steps, near):
    """The weights of some units, for `steps` inputs from i on, as (steps, width)."""
    for j in range(0, width, lanes()):
        place, row = placed(first + j, units, inputs)
        fetch(w + place + i * row, row, steps, lanes(), near + j, width)


def fetch(source, source_row, rows, width, near, near_row):
    """A copy of some rows."""
    for r in range(rows):
        for j in range(0, width, lanes()):
            write(read(source + r * source_row + j, lanes()), near + r * near_row + j)


def placed(unit, units, inputs):
    """Start of a unit's weights, and the distance to those of the next input."""
    first = unit // strip() * strip()
    return first * inputs + unit - first, min(strip(), units - first)


def mark_columns(x, x_row, count, n, words):
    """The masks of x's columns: bit r of word b is that of row 64 b + r."""
    for b in range(0, n, BLOCK):
        block = words + b // BLOCK * count
        for i in range(count):
            block[i] = 0
        for r in range(b, min(b + BLOCK, n)):
            for i in range(count):
                block[i] = block[i] + ((1 << (r - b)) if x[r * x_row + i] != 0 else 0)


def change(w, w_row, sums, sums_row, rows, factor, descend):
    """A register of each row of w: w + factor · sums, or the sums."""
    for r in range(rows):
        place, total = w + r * w_row, read(sums + r * sums_row, lanes())
        if descend != 0:
            write(factor * total + read(place, lanes()), place)
        else:
            write(total, place)


def clear(row, width):
    """A row of zeros."""
    for j in range(width):
        row[j] = 0
