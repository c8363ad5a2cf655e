"""Embeddings: rows of x whose numbers of categories become vectors of a table."""

from __future__ import annotations

from nnrun.compiler.language.numbers import real, whole
from nnrun.engines.compiled.kernels.access import pointer
from nnrun.engines.compiled.kernels.parts import column_range, row_range


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
