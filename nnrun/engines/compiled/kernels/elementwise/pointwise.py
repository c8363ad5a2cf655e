"""Activations, from `formulas.parts`; softmax, row by row; sums of two maps."""

from __future__ import annotations

from nnrun.compiler.code import real
from nnrun.engines.compiled.kernels.access import evaluated_at, function, moved, pointer, row_range
from nnrun.engines.compiled.kernels.sizes.scratch import PIECE

# ruff: noqa: F821 - a constant of the kernels: formula


def forward(task, n, scratch, x, x_row, x_line, y, y_row, y_line, lines, numbers, rows):
    """y = f(x); y may be x."""
    x, y = (pointer(x), x_row, x_line), (pointer(y), y_row, y_line)
    compute(formula, "x", (x,), y, row_range(task, rows, n), lines, numbers, pointer(scratch))


def backward(
    task, n, scratch, x, x_row, x_line, y, y_row, y_line, dy, dy_row, dy_line, dx, dx_row, dx_line,
    lines, numbers, rows,
):  # fmt: skip
    """dx = dy · f'(x), from x and y = f(x); dx may be dy."""
    x, y = (pointer(x), x_row, x_line), (pointer(y), y_row, y_line)
    dy, dx = (pointer(dy), dy_row, dy_line), (pointer(dx), dx_row, dx_line)
    block = row_range(task, rows, n)
    compute(formula, "x y dy", (x, y, dy), dx, block, lines, numbers, pointer(scratch))


def add(
    task, n, scratch, a, a_row, a_line, b, b_row, b_line, y, y_row, y_line, lines, numbers, rows
):
    """y = a + b; y may be one of them."""
    a, b, y = (pointer(a), a_row, a_line), (pointer(b), b_row, b_line), (pointer(y), y_row, y_line)
    compute("a + b", "a b", (a, b), y, row_range(task, rows, n), lines, numbers, pointer(scratch))


def compute(formula, names, sources, target, block, lines, numbers, held):
    """The formula of numbers of the sources into the target, for a block of rows.

    Maps are an address, and the distances to the next row and line. Results go through scratch
    memory, a piece of a line at a time: LLVM does not vectorise loops that overwrite their input.
    """
    for r in range(block[0], block[1]):
        for i in range(lines):
            places, into = moved(sources, r, i), target[0] + (r * target[1] + i * target[2])
            for begin in range(0, numbers, PIECE):
                end = min(begin + PIECE, numbers)
                for j in range(begin, end):
                    held[j - begin] = evaluated_at(formula, names, places, j)
                for j in range(begin, end):
                    into[j] = held[j - begin]


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
