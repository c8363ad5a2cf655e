"""Matrix products, a strip of columns at a time."""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import parameters, pointer, real, register
from nnrun.engines.compiled.kernels.parts import column_range


def product(p, task, n, k, start, rate, scratch):
    """z = b + x w."""
    x, x_row, w, b, z, z_row, inputs, units = parameters(p, 8)
    bias, x, w, z = pointer(b), pointer(x), pointer(w), pointer(z)
    stored = (units + 15) // 16 * 16
    left, right = column_range(task, register() * 3, stored)
    for r in range(n):
        target, source = z + r * z_row, x + r * x_row
        for j in range(left, right):
            target[j] = 0
        if b != 0:
            for j in range(left, right):
                target[j] = bias[j]
        for i in range(inputs):
            factor, line = source[i], w + i * stored
            for j in range(left, right):
                target[j] = target[j] + factor * line[j]


def product_back(p, task, n, k, start, rate, scratch):
    """dx = dz wᵀ."""
    dz, dz_row, w, dx, dx_row, inputs, units = parameters(p, 7)
    dz, w, dx = pointer(dz), pointer(w), pointer(dx)
    stored = (units + 15) // 16 * 16
    left, right = column_range(task, register() * 3, inputs)
    for r in range(n):
        for i in range(left, right):
            total = real(0)
            for j in range(units):
                total = total + dz[r * dz_row + j] * w[i * stored + j]
            dx[r * dx_row + i] = total


def product_update(p, task, n, k, start, rate, scratch):
    """w -= rate · xᵀ dz with `descend`, else w = xᵀ dz; a strip of rows of w."""
    x, x_row, dz, dz_row, w, inputs, units, descend = parameters(p, 8)
    x, dz, w, sums = pointer(x), pointer(dz), pointer(w), pointer(scratch)
    stored = (units + 15) // 16 * 16
    left, right = column_range(task, register() * 3, inputs)
    for i in range(left, right):
        for j in range(stored):
            sums[j] = 0
        for r in range(n):
            factor, line = x[r * x_row + i], dz + r * dz_row
            for j in range(stored):
                sums[j] = sums[j] + factor * line[j]
        target = w + i * stored
        if descend != 0:
            step = -real(rate)
            for j in range(stored):
                target[j] = target[j] + step * sums[j]
        else:
            for j in range(stored):
                target[j] = sums[j]
