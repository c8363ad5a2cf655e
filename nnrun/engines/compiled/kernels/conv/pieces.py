"""Pieces of a result that stay in registers while their sums run: rows by columns.

The columns of a piece are the numbers of one or two registers. How large pieces are depends on the
processor; in which order each number is summed does not: it is one chain of fused multiply-adds.
"""

from __future__ import annotations

from nnrun.compiler import machine
from nnrun.compiler.code import Code, intrinsic, read, room, spread, subroutine, write
from nnrun.engines.compiled.kernels.sizes.shapes import LEAST

_MANY = 64  # bytes of a register: processors with such have 32 of them, others 16


@intrinsic
def widths(t: Code) -> tuple[int, ...]:
    """Columns of pieces, the widest first."""
    full = machine.register() // t.size
    return tuple(sorted({max(2 * full, LEAST), max(full, LEAST), LEAST}, reverse=True))


@intrinsic
def heights(t: Code, width: int) -> tuple[int, ...]:
    """Rows of pieces, the highest first, such that registers are left for the factors."""
    register = machine.register()
    if register >= _MANY:
        return 14, 8, 4, 2, 1
    registers = -(-width * t.size // register)
    return {1: (12, 8, 4, 2, 1), 2: (6, 4, 2, 1), 4: (3, 2, 1)}[registers]


def sum_pixels(width, count, init, x, w, y, table, steps, init_row, x_row, w_row, y_row):
    """y[r] = init[r] + Σₜ x[r + table[t]] w[t], for the pixels r of a line."""
    r = 0
    for height in heights(width):
        while r + height <= count:
            pixels(
                (height, width), init + r * init_row, x + r * x_row, w, y + r * y_row,
                table, steps, init_row, x_row, w_row, y_row,
            )  # fmt: skip
            r += height


@subroutine
def pixels(shape, init, x, w, y, table, steps, init_row, x_row, w_row, y_row):
    """The same for as many pixels as a piece has rows."""
    sums = begun(shape, init, init_row)
    # Three rows share an address, since the processor adds one or two pitches itself.
    twice, thrice = 2 * x_row, 3 * x_row
    for t in range(steps):
        factors = read(w + t * w_row, shape[1])
        place = x + table[t]
        for r in range(shape[0]):
            if r % 3 == 0:
                place = place + (thrice if r else 0)
            number = place[(0, x_row, twice)[r % 3]]
            sums[r] = number * factors + sums[r]
    put(shape, sums, y, y_row)


def sum_taps(
    width, first, count, init, x, dy, dw, table, lines, columns,
    init_row, x_line, x_pixel, dy_line, dy_pixel, dw_row,
):  # fmt: skip
    """dw[t] = init[t] + Σᵢⱼ x[table[t] + pixel] dy[pixel], for `count` taps t from the first on."""
    t = first
    for height in heights(width):
        while t + height <= first + count:
            taps(
                (height, width), init + t * init_row, x, dy, dw + t * dw_row, table + t,
                lines, columns, init_row, x_line, x_pixel, dy_line, dy_pixel, dw_row,
            )  # fmt: skip
            t += height


@subroutine
def taps(
    shape, init, x, dy, dw, table, lines, columns,
    init_row, x_line, x_pixel, dy_line, dy_pixel, dw_row,
):  # fmt: skip
    """The same for as many taps as a piece has rows."""
    sums, starts = begun(shape, init, init_row), room(shape[0], x)
    for t in range(shape[0]):
        starts[t] = x + table[t]
    for i in range(lines):
        place, slopes = i * x_line, dy + i * dy_line
        for _ in range(columns):
            factors = read(slopes, shape[1])
            for t in range(shape[0]):
                sums[t] = starts[t][place] * factors + sums[t]
            place, slopes = place + x_pixel, slopes + dy_pixel
    put(shape, sums, dw, dw_row)


def begun(shape, init, init_row):
    """The first values of the sums, in registers."""
    sums = room(shape[0], spread(0, shape[1]))
    for r in range(shape[0]):
        sums[r] = read(init + r * init_row, shape[1])
    return sums


def put(shape, sums, y, y_row):
    """Write the sums."""
    for r in range(shape[0]):
        write(sums[r], y + r * y_row)


def clear(place, length):
    """Write zeros, `LEAST` at a time."""
    for at in range(0, length, LEAST):
        write(spread(0, LEAST), place + at)
