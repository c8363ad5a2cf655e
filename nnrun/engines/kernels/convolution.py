"""Convolution of images with the channels last, and its gradients: no patches are copied."""

from __future__ import annotations

from nnrun.compiler import machine
from nnrun.compiler.code import Code, integers, intrinsic, read, room, spread, subroutine, write
from nnrun.engines.kernels import scratch as sizes
from nnrun.engines.kernels.primitives import pieces, pointer, row_range
from nnrun.engines.kernels.sizes import LEAST

# Pieces of a result that stay in registers while their sums run: rows by columns.
#
# The columns of a piece are the numbers of one or two registers. How large pieces are depends on
# the processor; in which order each number is summed does not: it is one chain of fused multiply-
# adds.

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


# Convolution of images with the channels last, and its gradients: no patches are copied.
#
# A piece of y is a few neighbouring pixels of a line by a few channels; its sums run over the taps,
# whose distances in x are in a table. dx has the same pieces, added tap by tap. A piece of dw is a
# few taps by a few channels; its sums run over the pixels.

# Of LLVM's passes, the one that moves variables into registers.
LEVEL = 1


def convolve(
    task, n, scratch, x, x_row, x_line, x_pixel, w, b, b_line, b_pixel, y, y_row, y_line, y_pixel,
    channels, units, kh, kw, sh, sw, oh, ow, rows,
):  # fmt: skip
    """y[i, j, o] = b + Σ_{a, b, c} x[i s + a, j s + b, c] w[a, b, c, o].

    `channels` are those of w; `units` are as stored, with w and b as wide as y.
    """
    x, y, w = pointer(x), pointer(y), pointer(w)
    none, table = pieces(scratch, sizes.convolve(kh, kw, channels))
    none, table = pointer(none), integers(table)
    clear(none, widths()[0])
    steps = list_taps(table, x_line, x_pixel, kh, kw, channels)
    bias = none if b == 0 else pointer(b)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        o = 0
        for width in widths():
            while o + width <= units:
                begin = bias + (0 if b == 0 else o)
                for i in range(oh):
                    sum_pixels(
                        width, ow, begin + i * b_line, x + (r * x_row + i * sh * x_line), w + o,
                        y + (r * y_row + i * y_line + o), table, steps,
                        b_pixel, sw * x_pixel, units, y_pixel,
                    )  # fmt: skip
                o += width


def convolve_back(
    task, n, scratch, dy, dy_row, dy_line, dy_pixel, w, dx, dx_row, dx_line, dx_pixel,
    channels, units, kh, kw, sh, sw, top, left, height, width, oh, ow, rows,
):  # fmt: skip
    """dx[i s + a - top, j s + b - left, c] = Σ_{a, b, o} dy[i, j, o] w[a, b, o, c].

    w are the turned weights, as wide as dx with its stored `channels`; `units` are those of w.
    The sum of each number runs over a, b, o in this order. dx is written in height × width pixels.
    """
    dy, w, dx, table = pointer(dy), pointer(w), pointer(dx), integers(scratch)
    list_numbers(table, units)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        for i in range(height):
            target = dx + (r * dx_row + i * dx_line)
            for j in range(width):
                clear(target + j * dx_pixel, channels)
            for a in range(kh):
                distance = i + top - a
                source = distance // sh
                if source * sh == distance and source >= 0 and source < oh:
                    slopes = dy + (r * dy_row + source * dy_line)
                    spread_line(
                        target, dx_pixel, slopes, dy_pixel, w + a * kw * units * channels,
                        table, channels, units, kw, sw, left, width, ow,
                    )  # fmt: skip


def spread_line(
    dx, dx_pixel, dy, dy_pixel, w, table, channels, units, kw, sw, left, width, ow
):  # fmt: skip
    """Add the terms of a line of dy to a line of dx, for a line of taps."""
    for b in range(kw):
        # Pixels of dy whose tap b is inside dx.
        shift = b - left
        begin = max((sw - 1 - shift) // sw, 0)
        count = min((width + sw - 1 - shift) // sw, ow) - begin
        c = 0
        for lanes in widths():
            while c + lanes <= channels:
                into = dx + ((begin * sw + shift) * dx_pixel + c)
                sum_pixels(
                    lanes, count, into, dy + begin * dy_pixel, w + (b * units * channels + c),
                    into, table, units, sw * dx_pixel, dy_pixel, channels, sw * dx_pixel,
                )  # fmt: skip
                c += lanes


def convolve_weights(
    task, n, scratch, x, x_row, x_line, x_pixel, dy, dy_row, dy_line, dy_pixel, dw, dw_task,
    channels, units, kh, kw, sh, sw, oh, ow, rows, groups, strip,
):  # fmt: skip
    """dw[a, b, c, o] = Σ x[i s + a, j s + b, c] dy[i, j, o] over the pixels of a group of rows.

    There are `groups`: blocks of `rows` rows or, with `rows` 0, every `groups`-th row. A task is
    one group and one `strip` of this many (a, b, c). Groups write to sums of their own, `dw_task`
    numbers apart. `channels` and `units` are as for `convolve`.
    """
    zeros, table = pieces(scratch, sizes.convolve(kh, kw, channels))
    zeros, table = pointer(zeros), integers(table)
    clear(zeros, widths()[0])
    steps = list_taps(table, x_line, x_pixel, kh, kw, channels)
    group, begin = task % groups, task // groups * strip
    x, dy, dw = pointer(x), pointer(dy), pointer(dw) + group * dw_task
    count = min(steps - begin, strip)
    first = group if rows == 0 else group * rows
    last = n if rows == 0 else min(first + rows, n)
    for r in range(first, last, groups if rows == 0 else 1):
        o = 0
        for width in widths():
            while o + width <= units:
                sum_taps(
                    width, begin, count, zeros if r == first else dw + o, x + r * x_row,
                    dy + (r * dy_row + o), dw + o, table, oh, ow, 0 if r == first else units,
                    sh * x_line, sw * x_pixel, dy_line, dy_pixel, units,
                )  # fmt: skip
                o += width


def turn_weights(task, w, turned, channels, channels_stored, units, units_stored, taps, rows):
    """turned[a, b, o, c] = w[a, b, c, o], with zeros for padding channels.

    A task turns `rows` taps.
    """
    first, last = row_range(task, rows, taps)
    for n in range(first, last):
        source = pointer(w) + n * channels * units_stored
        for o in range(units):
            target = pointer(turned) + (n * units + o) * channels_stored
            for c in range(channels):
                target[c] = source[c * units_stored + o]
            for c in range(channels, channels_stored):
                target[c] = 0


def list_numbers(table, length):
    """Write the table of adjacent numbers."""
    for c in range(length):
        table[c] = c


def list_taps(table, x_line, x_pixel, kh, kw, channels):
    """Write the distances of all taps from the first; returns their number."""
    for a in range(kh):
        for b in range(kw):
            for c in range(channels):
                table[(a * kw + b) * channels + c] = a * x_line + b * x_pixel + c
    return kh * kw * channels
