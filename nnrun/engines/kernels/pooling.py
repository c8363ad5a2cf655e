"""Pooling, a block of rows at a time, over all channels that are stored, eight at once.

Windows of 2×2 side by side have code of their own, without loops over the window. Max-pooling
keeps which pixel of its window was the largest, the first of equal ones: a number for each of y's,
in rows that lie as y's would without a border.
"""

from __future__ import annotations

from nnrun.compiler.code import read, real, spread, write
from nnrun.engines.kernels.convolution import clear
from nnrun.engines.kernels.primitives import pointer, row_range
from nnrun.engines.kernels.sizes import LEAST

LEVEL = 1


def max_pool(
    task, n, x, x_row, x_line, x_pixel, y, y_row, y_line, y_pixel, place,
    kh, kw, sh, sw, oh, ow, rows,
):  # fmt: skip
    """y = the largest number of each window, and `place`, if there is one, which that was."""
    x, y = (pointer(x), x_row, x_line, x_pixel), (pointer(y), y_row, y_line, y_pixel)
    first, last = row_range(task, rows, n)
    block = first, last, oh, ow, 0, 0
    pool(take_largest, x, y, place, (kh, kw, sh, sw), block, False)


def avg_pool(
    task, n, x, x_row, x_line, x_pixel, y, y_row, y_line, y_pixel, kh, kw, sh, sw, oh, ow, rows
):
    """y = the mean of each window."""
    x, y = (pointer(x), x_row, x_line, x_pixel), (pointer(y), y_row, y_line, y_pixel)
    first, last = row_range(task, rows, n)
    block = first, last, oh, ow, 0, 0
    pool(take_mean, x, y, 0, (kh, kw, sh, sw), block, False)


def max_pool_back(
    task, n, dy, dy_row, dy_line, dy_pixel, dx, dx_row, dx_line, dx_pixel, place,
    kh, kw, sh, sw, height, width, oh, ow, rows,
):  # fmt: skip
    """dy to the largest pixel of each window, zeros to the others."""
    dx, dy = (pointer(dx), dx_row, dx_line, dx_pixel), (pointer(dy), dy_row, dy_line, dy_pixel)
    first, last = row_range(task, rows, n)
    block = first, last, oh, ow, height, width
    pool(give_largest, dx, dy, place, (kh, kw, sh, sw), block, True)


def avg_pool_back(
    task, n, dy, dy_row, dy_line, dy_pixel, dx, dx_row, dx_line, dx_pixel,
    kh, kw, sh, sw, height, width, oh, ow, rows,
):  # fmt: skip
    """dy / (kh · kw) to every pixel of each window."""
    dx, dy = (pointer(dx), dx_row, dx_line, dx_pixel), (pointer(dy), dy_row, dy_line, dy_pixel)
    first, last = row_range(task, rows, n)
    block = first, last, oh, ow, height, width
    pool(give_mean, dx, dy, 0, (kh, kw, sh, sw), block, True)


def pool(body, x, y, places, window, block, is_back):
    """Call body for each window of x, or of dx: without overlaps, or added to zeros.

    x and y are address and distances to the next row, line and pixel; a block is first and last
    row, lines and columns of y, and those of dx.
    """
    kh, kw, sh, sw = window
    share = real(1) / real(kh * kw)
    simple = kh == 2 and kw == 2 and sh == 2 and sw == 2
    if is_back:
        simple = simple and block[4] == 2 * block[2] and block[5] == 2 * block[3]
    if simple:
        each_window(body, x, y, places, (2, 2, 2, 2, share), block, False)
    else:
        each_window(body, x, y, places, (kh, kw, sh, sw, share), block, is_back)


def each_window(body, x, y, places, window, block, adds):
    """The loops over rows, pixels and channels of y."""
    for r in range(block[0], block[1]):
        if adds:
            for i in range(block[4]):
                clear(x[0] + (r * x[1] + i * x[2]), block[5] * x[3])
        for i in range(block[2]):
            line, other = r * x[1] + i * window[2] * x[2], r * y[1] + i * y[2]
            place = (r * block[2] + i) * block[3] * y[3]
            for j in range(block[3]):
                for c in range(0, y[3], LEAST):
                    body(
                        x[0] + (line + j * window[3] * x[3] + c), x[2], x[3],
                        y[0] + (other + j * y[3] + c), places, place + j * y[3] + c, window, adds,
                    )  # fmt: skip


def take_largest(x, line, step, y, places, place, window, adds):
    """The largest number; NaN, which is larger than nothing, stays where it has come in."""
    held, best = read(x, LEAST), spread(0, LEAST)
    for a in range(window[0]):
        for b in range(window[1]):
            value = read(x + (a * line + b * step), LEAST)
            larger = held == held and not held >= value
            best = real(a * window[1] + b) if larger else best
            held = value if larger else held
    write(held, y)
    if places != 0:
        write(best, pointer(places) + place)


def take_mean(x, line, step, y, places, place, window, adds):
    """The mean."""
    total = spread(0, LEAST)
    for a in range(window[0]):
        for b in range(window[1]):
            total = total + read(x + (a * line + b * step), LEAST)
    write(total * window[4], y)


def give_largest(dx, line, step, dy, places, place, window, adds):
    """Dy for the largest, zeros for the others."""
    slope, best = read(dy, LEAST), read(pointer(places) + place, LEAST)
    for a in range(window[0]):
        for b in range(window[1]):
            is_best = best == real(a * window[1] + b)
            put(slope if is_best else 0, dx + (a * line + b * step), adds)


def give_mean(dx, line, step, dy, places, place, window, adds):
    """A part of dy for each."""
    part = read(dy, LEAST) * window[4]
    for a in range(window[0]):
        for b in range(window[1]):
            put(part, dx + (a * line + b * step), adds)


def put(value, place, adds):
    """Write to a pixel of dx, or add to it where windows may overlap."""
    write(read(place, LEAST) + value if adds else value, place)
