"""Activations, softmax, sums of two maps; losses of rows and their gradients."""

from __future__ import annotations

from nnrun.compiler.code import double, doubles, real
from nnrun.engines.kernels.primitives import (
    evaluated,
    evaluated_at,
    function,
    moved,
    pointer,
    row_range,
    settings,
)
from nnrun.engines.kernels.scratch import PIECE

# Activations, from `engines.formulas`; softmax, row by row; sums of two maps.

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


# Losses of rows and their gradients, which are those of the mean over the batch.
#
# The formulas are constants of the kernels, from `engines.formulas`. A row with a weight of 0 has
# zeros, even where its loss or its gradient is infinite.

# ruff: noqa: F821 - constants of the kernels: formula, names, factor, over_outputs


def gradient(p, task, n, y, y_row, t, t_row, dy, dy_row, size, rows):
    """dL/dy, number by number."""
    y, t, dy, given = pointer(y), pointer(t), pointer(dy), settings(p, 8, names)
    first, last = row_range(task, rows, n)
    scale = real(factor) / real(n * (size if over_outputs else 1))
    for r in range(first, last):
        for j in range(size):
            dy[r * dy_row + j] = evaluated(
                formula, "y t scale settings", y[r * y_row + j], t[r * t_row + j], scale, given
            )


def value(p, task, n, start, y, y_row, t, t_row, losses, size, rows):
    """The loss of each row, in float64."""
    y, t, losses, given = pointer(y), pointer(t), doubles(losses), settings(p, 7, names)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        total = double(real(0))
        for j in range(size):
            cost = evaluated(formula, "y t settings", y[r * y_row + j], t[r * t_row + j], given)
            total = total + double(cost)
        losses[start + r] = total / double(size) if over_outputs else total


def softmax_gradient(p, task, n, y, y_row, t, t_row, dy, dy_row, size, rows):
    """dL/dz from the logits z, by the outputs softmax(z)."""
    y, t, dy, given = pointer(y), pointer(t), pointer(dy), settings(p, 8, names)
    first, last = row_range(task, rows, n)
    scale = real(factor) / real(n)
    for r in range(first, last):
        target, truth = dy + r * dy_row, t + r * t_row
        normalised(y + r * y_row, target, size)
        for j in range(size):
            target[j] = evaluated(formula, "y t scale settings", target[j], truth[j], scale, given)


def softmax_value(p, task, n, start, y, y_row, t, t_row, losses, size, rows):
    """The loss of each row from the logits z, in float64."""
    y, t, losses, given = pointer(y), pointer(t), doubles(losses), settings(p, 7, names)
    exp, log = function("exp_nonpositive"), function("log")
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        logits, truth = y + r * y_row, t + r * t_row
        largest = logits[0]
        for j in range(1, size):
            number = logits[j]
            largest = number if number > largest else largest
        total = real(0)
        for j in range(size):
            total = total + exp(logits[j] - largest)
        log_total = log(total)
        cost = double(real(0))
        for j in range(size):
            part = evaluated(
                formula, "y t largest log_total settings",
                logits[j], truth[j], largest, log_total, given,
            )  # fmt: skip
            cost = cost + double(part)
        losses[start + r] = cost


def weigh(task, n, w, w_row, dy, dy_row, size, rows):
    """The gradient of each row times its weight, in place."""
    w, dy = pointer(w), pointer(dy)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        weight = w[r * w_row]
        for j in range(size):
            slope = dy[r * dy_row + j] * weight
            dy[r * dy_row + j] = slope if weight > real(0) else real(0)


def weigh_losses(task, n, start, w, w_row, losses, rows):
    """The loss of each row times its weight, in place."""
    w, losses = pointer(w), doubles(losses)
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        weight = double(w[r * w_row])
        loss = losses[start + r] * weight
        losses[start + r] = loss if weight > double(real(0)) else double(real(0))
