"""The optimizers' steps, a chunk of a parameter at a time."""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import doubles, floating, parameters, pointer
from nnrun.engines.compiled.kernels.parts import column_range
from nnrun.engines.compiled.kernels.scratch import SQUARES
from nnrun.engines.compiled.language.numbers import real, sqrt


def reduce(p, task, n, k, start, rate, scratch):
    """The sum of the buffers that the tasks of `rows` rows have written, in their order.

    There are `most` of them where each is of several blocks of rows.
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
    """Σ g² over the task's chunk, into its place of `sums`."""
    gradient, size, chunk, sums = parameters(p, 4)
    gradient, sums, parts = pointer(gradient), doubles(sums), pointer(scratch)
    first, last = column_range(task, chunk, size)
    for j in range(SQUARES):
        parts[j] = 0
    for i in range(first, last, SQUARES):
        for j in range(SQUARES):
            g = gradient[i + j]
            parts[j] = parts[j] + g * g
    total = real(0)
    for j in range(SQUARES):
        total = total + parts[j]
    sums[task] = total


def clip(p, task, n, k, start, rate, scratch):
    """What a gradient longer than the limit is multiplied by, from the sums of its squares."""
    sums, count, limit, factor = parameters(p, 4)
    sums, limit, factor = doubles(sums), floating(limit), pointer(factor)
    total = sums[0]
    for j in range(1, count):
        total = total + sums[j]
    norm = sqrt(total)
    factor[0] = real(limit / norm) if norm > limit else real(1)


def scale(factor):
    """What the gradient is multiplied by: the number at the address, 1 where there is none."""
    found = real(1)
    if factor != 0:
        found = pointer(factor)[0]
    return found


def sgd(p, task, n, k, start, rate, scratch):
    """θ ← θ - η g, with momentum v ← μ v + g, θ ← θ - η v; Nesterov's steps by g + μ v."""
    theta, gradient, velocity, size, chunk, momentum, nesterov, decay, factor = parameters(p, 9)
    theta, gradient, held = pointer(theta), pointer(gradient), pointer(velocity)
    momentum, decay, eta = real(floating(momentum)), real(floating(decay)), real(rate)
    clipped = scale(factor)
    first, last = column_range(task, chunk, size)
    if velocity != 0:
        for j in range(first, last):
            g = gradient[j] * clipped + theta[j] * decay
            v = momentum * held[j] + g
            held[j] = v
            step = g + momentum * v if nesterov != 0 else v
            theta[j] = theta[j] - eta * step
    else:
        for j in range(first, last):
            g = gradient[j] * clipped + theta[j] * decay
            theta[j] = theta[j] - eta * g


def adam(p, task, n, k, start, rate, scratch):
    """m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², θ ← θ - m / (√v / part + ε) · part.

    The parts of iteration k, η / (1 - β₁ᵗ) and √(1 - β₂ᵗ), stand in two arrays.
    """
    (
        theta, gradient, mean, square, size, chunk, beta1, rest1, beta2, rest2, epsilon, decay,
        mean_parts, square_parts, factor,
    ) = parameters(p, 15)  # fmt: skip
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
    clipped = scale(factor)
    first, last = column_range(task, chunk, size)
    for j in range(first, last):
        g = gradient[j] * clipped + theta[j] * decay
        m = mean[j] * beta1 + g * rest1
        v = square[j] * beta2 + g * g * rest2
        mean[j] = m
        square[j] = v
        theta[j] = theta[j] - m / (sqrt(v) / square_part + epsilon) * mean_part
