"""Matrix products: z = b + x w, dx = dz wᵀ, w -= rate xᵀ dz.

Each number of a result is one chain of fused multiply-adds over the inner index, in order: neither
tiles nor threads change its bits. `shapes` describes the layout of the weights and the tasks.
"""

from __future__ import annotations

from nnrun.compiler.code import real, subroutine
from nnrun.engines.compiled.kernels.access import pointer
from nnrun.engines.compiled.kernels.dense.matrix_tile import (
    lanes,
    strip,
    tallest,
    tile,
    turn,
    zeros,
)
from nnrun.engines.compiled.kernels.dense.nonzeros import is_sparse
from nnrun.engines.compiled.kernels.sizes.scratch import STRIPS
from nnrun.engines.compiled.kernels.sizes.shapes import ROWS, padded

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
    """As many inputs and units as a register has numbers. Inlined, its many addresses spill."""
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
