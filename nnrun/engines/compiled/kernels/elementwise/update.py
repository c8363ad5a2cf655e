"""The optimizers' steps, a chunk of a parameter at a time."""

from __future__ import annotations

from nnrun.engines.compiled.formulas.optimizers import adam as adam_formulas
from nnrun.engines.compiled.formulas.optimizers import sgd as sgd_formulas
from nnrun.engines.compiled.kernels.access import (
    doubles,
    evaluated,
    floating,
    pointer,
    precision,
)
from nnrun.engines.compiled.kernels.parts import column_range
from nnrun.engines.compiled.language.numbers import double, real, sqrt
from nnrun.engines.compiled.language.vectors import lane, read, spread

SQUARES = 16  # sums of squares that run side by side
# The root is corrected by a division.
ADAM_STEP = adam_formulas.STEP.replace("{root}", "sqrt({v}) / {square_part}")


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

    The unit is 1 unless the sum overflows or underflows (`engines/clipping.py`).
    """
    gradient, sums = pointer(gradient), doubles(sums)
    most, large, least, small = precision(units)  # noqa: F821 - a constant
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


def sgd(task, rate, theta, gradient, velocity, size, chunk, momentum, nesterov, decay, factors):
    """The step by the formulas of `formulas.optimizers.sgd`."""
    theta, gradient, held = pointer(theta), pointer(gradient), pointer(velocity)
    momentum, decay, eta = real(floating(momentum)), real(floating(decay)), real(rate)
    unit, clipped = scales(factors)
    first, last = column_range(task, chunk, size)
    if velocity != 0:
        for j in range(first, last):
            g = gradient[j] * unit * clipped + theta[j] * decay
            v = evaluated(sgd_formulas.VELOCITY, "momentum velocity g", momentum, held[j], g)
            held[j] = v
            ahead = evaluated(sgd_formulas.NESTEROV, "momentum velocity g", momentum, v, g)
            step = ahead if nesterov != 0 else v
            theta[j] = evaluated(sgd_formulas.STEP, "theta rate g", theta[j], eta, step)
    else:
        for j in range(first, last):
            g = gradient[j] * unit * clipped + theta[j] * decay
            theta[j] = evaluated(sgd_formulas.STEP, "theta rate g", theta[j], eta, g)


def adam(
    task, k, theta, gradient, mean, square, size, chunk, beta1, rest1, beta2, rest2, epsilon,
    decay, mean_parts, square_parts, factors,
):  # fmt: skip
    """The step by the formulas of `formulas.optimizers.adam`.

    Two arrays hold η / (1 - β₁ᵗ) and √(1 - β₂ᵗ) for each iteration.
    """
    theta, gradient, mean, square = (
        pointer(theta),
        pointer(gradient),
        pointer(mean),
        pointer(square),
    )
    mean_parts, square_parts = doubles(mean_parts), doubles(square_parts)
    beta1, rest1, decay = real(floating(beta1)), real(floating(rest1)), real(floating(decay))
    beta2, rest2, epsilon = real(floating(beta2)), real(floating(rest2)), real(floating(epsilon))
    mean_part, square_part = real(mean_parts[k]), real(square_parts[k])
    unit, clipped = scales(factors)
    first, last = column_range(task, chunk, size)
    for j in range(first, last):
        g = gradient[j] * unit * clipped + theta[j] * decay
        m = evaluated(adam_formulas.MEAN, "mean g beta1 rest1", mean[j], g, beta1, rest1)
        v = evaluated(adam_formulas.SQUARE, "square g beta2 rest2", square[j], g, beta2, rest2)
        mean[j] = m
        square[j] = v
        theta[j] = evaluated(
            ADAM_STEP, "theta mean v square_part epsilon mean_part",
            theta[j], m, v, square_part, epsilon, mean_part,
        )  # fmt: skip
