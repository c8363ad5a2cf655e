"""The optimizers' steps, a chunk of a parameter at a time."""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import (
    doubles,
    floating,
    optimizer,
    parameters,
    pointer,
    precision,
    stepped,
)
from nnrun.engines.compiled.kernels.parts import column_range
from nnrun.engines.compiled.kernels.sizes.scratch import SQUARES
from nnrun.engines.compiled.language.numbers import double, real, sqrt

# ruff: noqa: F821 - constants of the kernels: units, and of optimizers update, state, numbers,
# corrections


def reduce(p, task, n, k, start, rate, scratch):
    """The sum of the buffers that the tasks of `rows` rows have written, in order.

    There are at most `most` buffers.
    """
    buffers, buffer_task, total, size, chunk, rows, most = parameters(p, 7)
    buffers, total = pointer(buffers), pointer(total)
    first, last = column_range(task, chunk, size)
    for j in range(first, last):
        total[j] = buffers[j]
    for b in range(1, min((n + rows - 1) // rows, most)):
        buffer = buffers + b * buffer_task
        for j in range(first, last):
            total[j] = total[j] + buffer[j]


def squares(p, task, n, k, start, rate, scratch):
    """Write Σ (g / unit)² over the task's chunk, and the unit, into `sums`.

    The unit is 1 unless the sum overflows or underflows (`engines/clipping.py`).
    """
    gradient, size, chunk, sums = parameters(p, 4)
    gradient, sums, parts = pointer(gradient), doubles(sums), pointer(scratch)
    most, large, least, small = precision(units)
    first, last = column_range(task, chunk, size)
    total, unit = sum_of_squares(gradient, first, last, real(1), parts), real(1)
    if total > most:
        unit = large
    if total < least:
        unit = small
    if unit != real(1):
        total = sum_of_squares(gradient, first, last, real(1) / unit, parts)
    sums[2 * task] = total
    sums[2 * task + 1] = unit


def sum_of_squares(gradient, first, last, scale, parts):
    """Σ (g · scale)²."""
    for j in range(SQUARES):
        parts[j] = 0
    for i in range(first, last, SQUARES):
        for j in range(SQUARES):
            g = gradient[i + j] * scale
            parts[j] = parts[j] + g * g
    total = real(0)
    for j in range(SQUARES):
        total = total + parts[j]
    return total


def clip(p, task, n, k, start, rate, scratch):
    """Write the two factors of a gradient that is longer than the limit.

    They are 1 / unit and limit / (norm / unit), with the largest unit of the sums.
    """
    sums, count, limit, factors = parameters(p, 4)
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


def step(p, task, n, k, start, rate, scratch):
    """The optimizer's step by its formula."""
    theta, gradient, size, chunk, weight_decay, factors = parameters(p, 6)
    theta, gradient, decay = pointer(theta), pointer(gradient), real(floating(weight_decay))
    held, given = optimizer(p, 6, k, state, numbers, corrections)
    unit, clipped = scales(factors)
    first, last = column_range(task, chunk, size)
    for j in range(first, last):
        g = gradient[j] * unit * clipped + theta[j] * decay
        theta[j] = stepped(update, held, given, j, theta[j], g, real(rate))
