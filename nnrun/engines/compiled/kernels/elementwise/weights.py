"""Losses of rows and their gradients, times the weights of the rows.

A row with a weight of 0 has zeros, even where its loss or its gradient is infinite.
"""

from __future__ import annotations

from nnrun.compiler.language.addresses import doubles
from nnrun.compiler.language.numbers import double, real
from nnrun.engines.compiled.kernels.access import pointer
from nnrun.engines.compiled.kernels.parts import row_range


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
