"""Softmax, row by row."""

from __future__ import annotations

from nnrun.compiler.language.numbers import real
from nnrun.engines.compiled.kernels.access import function, pointer
from nnrun.engines.compiled.kernels.parts import row_range


def normalised(x, y, size):
    """y = exp(x - m) / Σ exp(x - m) with m the largest of x."""
    exp = function("exp_nonpositive")
    largest = x[0]
    for j in range(1, size):
        value = x[j]
        largest = value if value > largest else largest
    for j in range(size):
        y[j] = exp(x[j] - largest)
    total = real(0)
    for j in range(size):
        total = total + y[j]
    for j in range(size):
        y[j] = y[j] / total


def softmax(task, n, x, x_row, y, y_row, size, rows):
    """yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)."""
    x, y = pointer(x), pointer(y)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        normalised(x + r * x_row, y + r * y_row, size)


def softmax_back(task, n, y, y_row, dy, dy_row, dx, dx_row, size, rows):
    """dxᵢ = yᵢ (dyᵢ - Σⱼ dyⱼ yⱼ)."""
    y, dy, dx = pointer(y), pointer(dy), pointer(dx)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        after, slope, target = y + r * y_row, dy + r * dy_row, dx + r * dx_row
        along = real(0)
        for j in range(size):
            along = along + slope[j] * after[j]
        for j in range(size):
            target[j] = after[j] * (slope[j] - along)
