"""Rows of data into the kernels' layout and back; layers that sum nothing up: biases by themselves,
dropout, embeddings.

b[i, j, c] of a bias is `b_line` and `b_pixel` numbers from line to line and from pixel to pixel:
both 0 for a bias per channel.
"""

from __future__ import annotations

from nnrun.compiler.code import doubles, integers, real, whole
from nnrun.engines.kernels.primitives import column_range, floating, pointer, row_range


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


def embed(task, n, x, x_row, w, y, y_row, entries, dimensions, rows):
    """y = w[x], of one column of x; a number that is no entry is taken for 0."""
    x, w, y = pointer(x), pointer(w), pointer(y)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        source = w + whole(x[r * x_row], entries) * dimensions
        target = y + r * y_row
        for j in range(dimensions):
            target[j] = source[j]


def copy(task, n, x, x_row, y, y_row, numbers, rows):
    """y = x, of some columns side by side."""
    x, y = pointer(x), pointer(y)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        source, target = x + r * x_row, y + r * y_row
        for j in range(numbers):
            target[j] = source[j]


def embed_update(task, n, rate, x, x_row, dy, dy_row, w, entries, dimensions, chunk, descend):
    """w[x] -= rate dy for some entries, or w = the sums of dy, row after row."""
    x, dy, w = pointer(x), pointer(dy), pointer(w)
    first, last = column_range(task, chunk, entries)
    factor = real(-rate) if descend != 0 else real(1)
    if descend == 0:
        for j in range(first * dimensions, last * dimensions):
            w[j] = real(0)
    for r in range(n):
        entry = whole(x[r * x_row], entries)
        if entry >= first and entry < last:
            source, target = dy + r * dy_row, w + entry * dimensions
            for j in range(dimensions):
                target[j] = target[j] + factor * source[j]
