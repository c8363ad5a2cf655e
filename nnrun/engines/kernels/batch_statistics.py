"""Mean and variance of the whole batch for batch normalisation, a chunk of channels at a time."""

from __future__ import annotations

from nnrun.compiler.code import real, sqrt
from nnrun.engines.kernels.primitives import column_range, floating, pointer


def statistics(
    task, n, sums, squares, part, mean, inverse, running_mean, running_variance, size, chunk, rows,
    pixels, epsilon, momentum,
):  # fmt: skip
    """mean, and inverse = 1 / sqrt(variance + ε), from the tasks' sums; running ← running +
    momentum (batch - running), with the unbiased variance.

    Tasks are of `rows` rows of `pixels` numbers each. Their deviations are from means of
    their own; with hᵢ numbers of mean mᵢ, the batch's are Σᵢ squaresᵢ + hᵢ (mᵢ - mean)².
    Chan, Golub and LeVeque, 1979.
    """
    sums, squares, mean, inverse = pointer(sums), pointer(squares), pointer(mean), pointer(inverse)
    running_mean, running_variance = pointer(running_mean), pointer(running_variance)
    epsilon, momentum = real(floating(epsilon)), real(floating(momentum))
    first, last = column_range(task, chunk, size)
    tasks, count = (n + rows - 1) // rows, n * pixels
    numbers, others = real(count), real(max(count - 1, 1))
    for j in range(first, last):
        total = real(0)
        for b in range(tasks):
            total = total + sums[b * part + j]
        center = total / numbers
        spread = real(0)
        for b in range(tasks):
            held = real((min((b + 1) * rows, n) - b * rows) * pixels)
            apart = sums[b * part + j] / held - center
            spread = spread + (squares[b * part + j] + held * apart * apart)
        mean[j] = center
        inverse[j] = real(1) / sqrt(spread / numbers + epsilon)
        running_mean[j] = running_mean[j] + momentum * (center - running_mean[j])
        unbiased = spread / others
        running_variance[j] = running_variance[j] + momentum * (unbiased - running_variance[j])


def inverses(task, variance, inverse, size, chunk, epsilon):
    """inverse = 1 / sqrt(variance + ε)."""
    variance, inverse, epsilon = pointer(variance), pointer(inverse), real(floating(epsilon))
    first, last = column_range(task, chunk, size)
    for j in range(first, last):
        inverse[j] = real(1) / sqrt(variance[j] + epsilon)
