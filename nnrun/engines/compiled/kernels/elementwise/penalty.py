"""The L2 penalty: α / 2 · Σ w² / rows, its gradient a chunk of a parameter at a time."""

from __future__ import annotations

from nnrun.compiler.language.addresses import doubles
from nnrun.compiler.language.numbers import double, real
from nnrun.engines.compiled.kernels.access import floating, pointer
from nnrun.engines.compiled.kernels.elementwise.update import sum_of_squares
from nnrun.engines.compiled.kernels.parts import column_range


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
