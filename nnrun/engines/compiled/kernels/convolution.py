"""Convolutions, a block of rows at a time; weights are (kh, kw, channels, units as stored)."""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import parameters, pointer
from nnrun.engines.compiled.kernels.parts import row_range


def convolve(p, task, n, k, start, rate, scratch):
    """y = b + w * x; x is the first pixel of the first window, its border included."""
    (
        x, x_row, x_line, x_pixel, w, b, b_line, b_pixel, y, y_row, y_line, y_pixel,
        channels, units, kh, kw, sh, sw, oh, ow, rows,
    ) = parameters(p, 21)  # fmt: skip
    bias, x, w, y = pointer(b), pointer(x), pointer(w), pointer(y)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        for i in range(oh):
            for j in range(ow):
                target = y + (r * y_row + i * y_line + j * y_pixel)
                for u in range(y_pixel):
                    target[u] = 0
                if b != 0:
                    for u in range(y_pixel):
                        target[u] = bias[i * b_line + j * b_pixel + u]
                for a in range(kh):
                    for e in range(kw):
                        source = x + (r * x_row + (i * sh + a) * x_line + (j * sw + e) * x_pixel)
                        tap = w + (a * kw + e) * channels * y_pixel
                        for c in range(channels):
                            factor, line = source[c], tap + c * y_pixel
                            for u in range(y_pixel):
                                target[u] = target[u] + factor * line[u]


def turn_weights(p, task, n, k, start, rate, scratch):
    """turned[a, b, o, c] = w[a, b, c, o], one tap for a task."""
    w, turned, taps, inputs, outputs, inputs_stored, outputs_stored = parameters(p, 7)
    w = pointer(w) + task * inputs * outputs_stored
    turned = pointer(turned) + task * outputs * inputs_stored
    for o in range(outputs):
        for c in range(inputs):
            turned[o * inputs_stored + c] = w[c * outputs_stored + o]


def convolve_back(p, task, n, k, start, rate, scratch):
    """dx, whole, from dy: each output's gradient spread over its window; w is turned.

    `channels` are those of dx that are stored, `units` those of dy that are real.
    """
    (
        dy, dy_row, dy_line, dy_pixel, w, dx, dx_row, dx_line, dx_pixel,
        channels, units, kh, kw, sh, sw, top, left, height, width, oh, ow, rows,
    ) = parameters(p, 22)  # fmt: skip
    dy, w, dx = pointer(dy), pointer(w), pointer(dx)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        for i in range(height):
            for j in range(width):
                target = dx + (r * dx_row + i * dx_line + j * dx_pixel)
                for c in range(channels):
                    target[c] = 0
                for a in range(kh):
                    for e in range(kw):
                        down, across = i + top - a, j + left - e
                        inside = down >= 0 and across >= 0 and down % sh == 0 and across % sw == 0
                        if inside and down < oh * sh and across < ow * sw:
                            source = dy + (
                                r * dy_row + down // sh * dy_line + across // sw * dy_pixel
                            )
                            tap = w + (a * kw + e) * units * channels
                            for u in range(units):
                                factor, line = source[u], tap + u * channels
                                for c in range(channels):
                                    target[c] = target[c] + factor * line[c]


def convolve_weights(p, task, n, k, start, rate, scratch):
    """The gradient of the weights, summed over the task's rows, into the task's buffer."""
    (
        x, x_row, x_line, x_pixel, dy, dy_row, dy_line, dy_pixel, dw, dw_task,
        channels, units, kh, kw, sh, sw, oh, ow, rows,
    ) = parameters(p, 19)  # fmt: skip
    x, dy, dw = pointer(x), pointer(dy), pointer(dw) + task * dw_task
    first, last = row_range(task, rows, n)
    for t in range(kh * kw * channels * dy_pixel):
        dw[t] = 0
    for r in range(first, last):
        for a in range(kh):
            for e in range(kw):
                for i in range(oh):
                    for j in range(ow):
                        source = x + (r * x_row + (i * sh + a) * x_line + (j * sw + e) * x_pixel)
                        slope = dy + (r * dy_row + i * dy_line + j * dy_pixel)
                        tap = dw + (a * kw + e) * channels * dy_pixel
                        for c in range(channels):
                            factor, line = source[c], tap + c * dy_pixel
                            for u in range(dy_pixel):
                                line[u] = line[u] + factor * slope[u]
