"""Elementwise: activations, from `formulas.activations`, and sums.

Results go through scratch memory, a piece of a line at a time: LLVM does not vectorise a loop that
may overwrite its input.
"""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import evaluated, pointer
from nnrun.engines.compiled.kernels.parts import column_range, row_range
from nnrun.engines.compiled.kernels.sizes.scratch import PIECE


def forward(task, n, scratch, x, x_row, x_line, y, y_row, y_line, lines, numbers, rows, columns):
    """y = f(x); y may be x."""
    x, y, held = pointer(x), pointer(y), pointer(scratch)
    first, last = row_range(task, rows, n)
    left, right = column_range(task, columns, numbers)
    for r in range(first, last):
        for i in range(lines):
            source, target = x + (r * x_row + i * x_line), y + (r * y_row + i * y_line)
            for begin in range(left, right, PIECE):
                end = min(begin + PIECE, right)
                for j in range(begin, end):
                    held[j - begin] = evaluated(formula, "x", source[j])  # noqa: F821 - a constant
                copy(held, target + begin, end - begin)


def backward(
    task, n, scratch, x, x_row, x_line, y, y_row, y_line, dy, dy_row, dy_line, dx, dx_row, dx_line,
    lines, numbers, rows, columns,
):  # fmt: skip
    """dx = dy · f'(x), from x and y = f(x); dx may be dy."""
    x, y, dy, dx, held = pointer(x), pointer(y), pointer(dy), pointer(dx), pointer(scratch)
    first, last = row_range(task, rows, n)
    left, right = column_range(task, columns, numbers)
    for r in range(first, last):
        for i in range(lines):
            before, after = x + (r * x_row + i * x_line), y + (r * y_row + i * y_line)
            source, target = dy + (r * dy_row + i * dy_line), dx + (r * dx_row + i * dx_line)
            for begin in range(left, right, PIECE):
                end = min(begin + PIECE, right)
                for j in range(begin, end):
                    held[j - begin] = evaluated(
                        formula,  # noqa: F821 - a constant
                        "x y dy",
                        before[j],
                        after[j],
                        source[j],
                    )
                copy(held, target + begin, end - begin)


def add(
    task, n, scratch, a, a_row, a_line, b, b_row, b_line, y, y_row, y_line, lines, numbers, rows,
    columns,
):  # fmt: skip
    """y = a + b; y may be one of them."""
    a, b, y, held = pointer(a), pointer(b), pointer(y), pointer(scratch)
    first, last = row_range(task, rows, n)
    left, right = column_range(task, columns, numbers)
    for r in range(first, last):
        for i in range(lines):
            one, other = a + (r * a_row + i * a_line), b + (r * b_row + i * b_line)
            target = y + (r * y_row + i * y_line)
            for begin in range(left, right, PIECE):
                end = min(begin + PIECE, right)
                for j in range(begin, end):
                    held[j - begin] = one[j] + other[j]
                copy(held, target + begin, end - begin)


def copy(source, target, count):
    """Copy numbers."""
    for j in range(count):
        target[j] = source[j]
