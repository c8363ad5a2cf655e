"""Biases that are layers of their own.

b[i, j, c] is `b_line` and `b_pixel` numbers from line to line and from pixel to pixel: both 0 for a
bias per channel.
"""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import pointer
from nnrun.engines.compiled.kernels.parts import row_range


def add_bias(
    task, n, x, x_row, x_line, x_pixel, b, b_line, b_pixel, y, y_row, y_line, y_pixel, channels,
    height, width, rows,
):  # fmt: skip
    """y = x + b."""
    x, b, y = pointer(x), pointer(b), pointer(y)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        for i in range(height):
            for j in range(width):
                source = x + (r * x_row + i * x_line + j * x_pixel)
                target = y + (r * y_row + i * y_line + j * y_pixel)
                added = b + (i * b_line + j * b_pixel)
                for c in range(channels):
                    target[c] = source[c] + added[c]
