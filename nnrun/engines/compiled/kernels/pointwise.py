"""Activations, number by number, from the formulas of `activations`."""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import evaluated, parameters, pointer
from nnrun.engines.compiled.kernels.parts import column_range, row_range


def forward(p, task, n, k, start, rate, scratch):
    """y = f(x); y may be x."""
    x, x_row, x_line, y, y_row, y_line, lines, numbers, rows, columns = parameters(p, 10)
    x, y = pointer(x), pointer(y)
    first, last = row_range(task, rows, n)
    left, right = column_range(task, columns, numbers)
    for r in range(first, last):
        for i in range(lines):
            source, target = x + (r * x_row + i * x_line), y + (r * y_row + i * y_line)
            for j in range(left, right):
                target[j] = evaluated(formula, source[j], 0, 0)  # noqa: F821 - a constant


def backward(p, task, n, k, start, rate, scratch):
    """dx = dy · f'(x), from x and y = f(x); dx may be dy."""
    (
        x, x_row, x_line, y, y_row, y_line, dy, dy_row, dy_line, dx, dx_row, dx_line,
        lines, numbers, rows, columns,
    ) = parameters(p, 16)  # fmt: skip
    x, y, dy, dx = pointer(x), pointer(y), pointer(dy), pointer(dx)
    first, last = row_range(task, rows, n)
    left, right = column_range(task, columns, numbers)
    for r in range(first, last):
        for i in range(lines):
            before, after = x + (r * x_row + i * x_line), y + (r * y_row + i * y_line)
            source, target = dy + (r * dy_row + i * dy_line), dx + (r * dx_row + i * dx_line)
            for j in range(left, right):
                target[j] = evaluated(formula, before[j], after[j], source[j])  # noqa: F821
