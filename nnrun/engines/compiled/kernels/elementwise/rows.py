"""Rows of data into the kernels' layout, and back."""

from __future__ import annotations

from nnrun.compiler.language.addresses import integers
from nnrun.engines.compiled.kernels.access import pointer
from nnrun.engines.compiled.kernels.parts import row_range


def gather(
    task, n, start, order, data, data_row, x, x_row, x_line, x_pixel, channels, height, width,
    rows,
):  # fmt: skip
    """Rows of the batch from a data set of (channels, height, width), in the kernels' layout.

    `order` holds which rows, those of the batch from `start` on; 0: they follow one another.
    """
    listed = integers(order)
    data, x = pointer(data), pointer(x)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        row = start + r
        if order != 0:
            row = listed[row]
        for c in range(channels):
            for i in range(height):
                source = data + (row * data_row + (c * height + i) * width)
                target = x + (r * x_row + i * x_line + c)
                if x_pixel == 1:
                    for j in range(width):
                        target[j] = source[j]
                else:
                    for j in range(width):
                        target[j * x_pixel] = source[j]


def flatten(
    task, n, start, x, x_row, x_line, x_pixel, y, y_row, channels, height, width, placed, rows,
):  # fmt: skip
    """Images to vectors in the order (channels, height, width).

    With `placed` they go to the rows from `start` on.
    """
    x, y = pointer(x), pointer(y)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        row = r + start * placed
        for i in range(height):
            for j in range(width):
                source = x + (r * x_row + i * x_line + j * x_pixel)
                target = y + (row * y_row + i * width + j)
                for c in range(channels):
                    target[c * height * width] = source[c]


def flatten_back(task, n, dy, dy_row, dx, dx_row, dx_line, dx_pixel, channels, height, width, rows):
    """Vectors to images: dx[i, j, c] = dy[(c · height + i) · width + j]."""
    dy, dx = pointer(dy), pointer(dx)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        for i in range(height):
            for j in range(width):
                source = dy + (r * dy_row + i * width + j)
                target = dx + (r * dx_row + i * dx_line + j * dx_pixel)
                for c in range(channels):
                    target[c] = source[c * height * width]


def clear(task, n, x, x_row, x_line, x_pixel, channels, height, width, rows):
    """Write zeros to padding channels."""
    x = pointer(x)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        for i in range(height):
            for j in range(width):
                for c in range(channels, x_pixel):
                    x[r * x_row + i * x_line + j * x_pixel + c] = 0
