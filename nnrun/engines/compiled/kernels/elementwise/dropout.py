"""Dropout."""

from __future__ import annotations

from nnrun.compiler.language.addresses import doubles
from nnrun.compiler.language.numbers import real
from nnrun.engines.compiled.kernels.access import floating, pointer
from nnrun.engines.compiled.kernels.parts import row_range


def dropout(
    task, n, start, uniforms, drawn, before, share, factor, x, x_row, x_line, x_pixel, y, y_row,
    y_line, y_pixel, channels, height, width, rows,
):  # fmt: skip
    """y = x · factor where the uniform number is at least `share`, else 0; forward and backward.

    A batch's uniforms begin at its first row, `drawn` for each row: all rows of the first dropout
    layer, then all rows of the next; `before` is a row's number of uniforms in earlier layers. A
    row's are in the order (channels, height, width).
    """
    x, y = pointer(x), pointer(y)
    uniforms = doubles(uniforms) + (start * drawn + n * before)
    share, factor = floating(share), real(floating(factor))
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        for i in range(height):
            for j in range(width):
                source = x + (r * x_row + i * x_line + j * x_pixel)
                target = y + (r * y_row + i * y_line + j * y_pixel)
                chance = uniforms + ((r * channels * height + i) * width + j)
                for c in range(channels):
                    kept = factor if chance[c * height * width] >= share else real(0)
                    target[c] = source[c] * kept
