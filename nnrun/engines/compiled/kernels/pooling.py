"""Pooling, a block of rows at a time, over all channels that are stored."""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import parameters, pointer, real
from nnrun.engines.compiled.kernels.parts import row_range


def max_pool(p, task, n, k, start, rate, scratch):
    """y = the largest number of each window."""
    (
        x, x_row, x_line, x_pixel, y, y_row, y_line, y_pixel, kh, kw, sh, sw, oh, ow, rows,
    ) = parameters(p, 15)  # fmt: skip
    x, y = pointer(x), pointer(y)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        for i in range(oh):
            for j in range(ow):
                window = x + (r * x_row + i * sh * x_line + j * sw * x_pixel)
                target = y + (r * y_row + i * y_line + j * y_pixel)
                for c in range(x_pixel):
                    target[c] = window[c]
                for a in range(kh):
                    for e in range(kw):
                        source = window + (a * x_line + e * x_pixel)
                        for c in range(x_pixel):
                            held, value = target[c], source[c]
                            # NaN, which is larger than nothing, stays where it has come in.
                            target[c] = held if held >= value or held != held else value


def avg_pool(p, task, n, k, start, rate, scratch):
    """y = the mean of each window."""
    (
        x, x_row, x_line, x_pixel, y, y_row, y_line, y_pixel, kh, kw, sh, sw, oh, ow, rows,
    ) = parameters(p, 15)  # fmt: skip
    x, y = pointer(x), pointer(y)
    first, last = row_range(task, rows, n)
    share = real(1) / real(kh * kw)
    for r in range(first, last):
        for i in range(oh):
            for j in range(ow):
                window = x + (r * x_row + i * sh * x_line + j * sw * x_pixel)
                target = y + (r * y_row + i * y_line + j * y_pixel)
                for c in range(x_pixel):
                    target[c] = 0
                for a in range(kh):
                    for e in range(kw):
                        source = window + (a * x_line + e * x_pixel)
                        for c in range(x_pixel):
                            target[c] = target[c] + source[c]
                for c in range(x_pixel):
                    target[c] = target[c] * share


def max_pool_back(p, task, n, k, start, rate, scratch):
    """dy to the first of the largest pixels of each window."""
    (
        x, x_row, x_line, x_pixel, dy, dy_row, dy_line, dy_pixel, dx, dx_row, dx_line, dx_pixel,
        kh, kw, sh, sw, height, width, oh, ow, rows,
    ) = parameters(p, 21)  # fmt: skip
    x, dy, dx = pointer(x), pointer(dy), pointer(dx)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        empty(dx + r * dx_row, dx_line, width * dx_pixel, height)
        for i in range(oh):
            for j in range(ow):
                window = x + (r * x_row + i * sh * x_line + j * sw * x_pixel)
                slope = dy + (r * dy_row + i * dy_line + j * dy_pixel)
                target = dx + (r * dx_row + i * sh * dx_line + j * sw * dx_pixel)
                for c in range(x_pixel):
                    held, place = window[c], c
                    for a in range(kh):
                        for e in range(kw):
                            value = window[a * x_line + e * x_pixel + c]
                            better = value > held
                            held = value if better else held
                            place = a * dx_line + e * dx_pixel + c if better else place
                    target[place] = target[place] + slope[c]


def avg_pool_back(p, task, n, k, start, rate, scratch):
    """dy / (kh · kw) to every pixel of each window."""
    (
        dy, dy_row, dy_line, dy_pixel, dx, dx_row, dx_line, dx_pixel,
        kh, kw, sh, sw, height, width, oh, ow, rows,
    ) = parameters(p, 17)  # fmt: skip
    dy, dx = pointer(dy), pointer(dx)
    first, last = row_range(task, rows, n)
    share = real(1) / real(kh * kw)
    for r in range(first, last):
        empty(dx + r * dx_row, dx_line, width * dx_pixel, height)
        for i in range(oh):
            for j in range(ow):
                slope = dy + (r * dy_row + i * dy_line + j * dy_pixel)
                for a in range(kh):
                    for e in range(kw):
                        target = dx + (
                            r * dx_row + (i * sh + a) * dx_line + (j * sw + e) * dx_pixel
                        )
                        for c in range(dy_pixel):
                            target[c] = target[c] + slope[c] * share


def empty(x, x_line, numbers, lines):
    """Zeros for a row's inner pixels."""
    for i in range(lines):
        for j in range(numbers):
            x[i * x_line + j] = 0
