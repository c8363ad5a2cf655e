"""The optimizers' steps, averages and the L2 penalty, a chunk of a parameter at a time."""

from __future__ import annotations

from nnrun.compiler.code import double, doubles, lane, read, real, spread, sqrt
from nnrun.engines.kernels.primitives import (
    column_range,
    floating,
    optimizer,
    pointer,
    precision,
    stepped,
)

SQUARES = 16  # sums of squares that run side by side

# ruff: noqa: F821 - constants of the kernels: units, and of optimizers update, state, numbers,
# corrections


def reduce(task, n, buffers, buffer_task, total, size, chunk, rows, most):
    """The sum of the buffers that the tasks of `rows` rows have written, in order.

    There are at most `most` buffers.
    """
    buffers, total = pointer(buffers), pointer(total)
    first, last = column_range(task, chunk, size)
    for j in range(first, last):
        total[j] = buffers[j]
    for b in range(1, min((n + rows - 1) // rows, most)):
        buffer = buffers + b * buffer_task
        for j in range(first, last):
            total[j] = total[j] + buffer[j]


def squares(task, gradient, size, chunk, sums):
    """Write Σ (g / unit)² over the task's chunk, and the unit, into `sums`.

    The unit is 1 unless the sum overflows or underflows (`engines/base.py`).
    """
    gradient, sums = pointer(gradient), doubles(sums)
    most, large, least, small = precision(units)
    first, last = column_range(task, chunk, size)
    total, unit = sum_of_squares(gradient, first, last, real(1)), real(1)
    if total > most:
        unit = large
    if total < least:
        unit = small
    if unit != real(1):
        total = sum_of_squares(gradient, first, last, real(1) / unit)
    sums[2 * task] = total
    sums[2 * task + 1] = unit


def sum_of_squares(gradient, first, last, scale):
    """Σ (g · scale)²."""
    parts = spread(0, SQUARES)
    for i in range(first, last, SQUARES):
        g = read(gradient + i, SQUARES) * scale
        parts = g * g + parts
    total = real(0)
    for j in range(SQUARES):
        total = total + lane(parts, j)
    return total


def clip(sums, count, limit, factors):
    """Write the two factors of a gradient that is longer than the limit.

    They are 1 / unit and limit / (norm / unit), with the largest unit of the sums.
    """
    sums, limit, factors = doubles(sums), floating(limit), pointer(factors)
    unit, total = sums[1], double(0)
    for j in range(1, count):
        unit = max(unit, sums[2 * j + 1])
    for j in range(count):
        ratio = sums[2 * j + 1] / unit
        total = total + sums[2 * j] * ratio * ratio
    norm = sqrt(total)
    factors[0] = real(double(1) / unit) if norm > limit / unit else real(1)
    factors[1] = real(limit / norm) if norm > limit / unit else real(1)


def scales(factors):
    """The factors of the gradient at an address, 1 without an address."""
    first, second = real(1), real(1)
    if factors != 0:
        first, second = pointer(factors)[0], pointer(factors)[1]
    return first, second


def step(p, task, k, rate, theta, gradient, size, chunk, weight_decay, factors):
    """The optimizer's step by its formula."""
    theta, gradient, decay = pointer(theta), pointer(gradient), real(floating(weight_decay))
    held, given = optimizer(p, 6, k, state, numbers, corrections)
    unit, clipped = scales(factors)
    first, last = column_range(task, chunk, size)
    for j in range(first, last):
        g = gradient[j] * unit * clipped + theta[j] * decay
        theta[j] = stepped(update, held, given, j, theta[j], g, real(rate))


def average(task, k, source, mean, size, chunk, share):
    """a ← a + share · (θ - a)."""
    source, mean, part = pointer(source), pointer(mean), real(doubles(share)[k])
    first, last = column_range(task, chunk, size)
    for j in range(first, last):
        mean[j] = mean[j] + (source[j] - mean[j]) * part


def penalty(task, n, theta, gradient, size, chunk, alpha, sums):
    """g ← g + α w / rows, and Σ w² over the task's chunk into its place of `sums`."""
    theta, gradient, sums = pointer(theta), pointer(gradient), doubles(sums)
    shrink = real(floating(alpha) / double(n))
    first, last = column_range(task, chunk, size)
    for i in range(first, last):
        gradient[i] = gradient[i] + theta[i] * shrink
    sums[task] = sum_of_squares(theta, first, last, real(1))


def penalty_value(start, sums, count, half, losses):
    """α / 2 · Σ w² added to the loss of the batch's first row: losses of rows are averaged."""
    sums, losses = doubles(sums), doubles(losses)
    total = sums[0]
    for j in range(1, count):
        total = total + sums[j]
    losses[start] = losses[start] + floating(half) * total
