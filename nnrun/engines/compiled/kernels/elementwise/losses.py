"""Losses of rows and their gradients, which are those of the mean over the batch.

The formulas are constants of the kernels, from `formulas.parts`. A row with a weight of 0 has
zeros, even where its loss or its gradient is infinite.
"""

from __future__ import annotations

from nnrun.compiler.code import double, doubles, real
from nnrun.engines.compiled.kernels.access import evaluated, function, pointer, row_range, settings
from nnrun.engines.compiled.kernels.elementwise.pointwise import normalised

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


def softmax_gradient(task, n, y, y_row, t, t_row, dy, dy_row, size, rows):
    """dL/dz from the logits z, by the outputs softmax(z)."""
    y, t, dy = pointer(y), pointer(t), pointer(dy)
    first, last = row_range(task, rows, n)
    scale = real(factor) / real(n)
    for r in range(first, last):
        target, truth = dy + r * dy_row, t + r * t_row
        normalised(y + r * y_row, target, size)
        for j in range(size):
            target[j] = evaluated(formula, "y t scale", target[j], truth[j], scale)


def softmax_value(task, n, start, y, y_row, t, t_row, losses, size, rows):
    """The loss of each row from the logits z, in float64."""
    y, t, losses = pointer(y), pointer(t), doubles(losses)
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
            cost = cost + double(
                evaluated(formula, "y t largest log_total", logits[j], truth[j], largest, log_total)
            )
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
