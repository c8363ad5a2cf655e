"""Losses of rows and their gradients, which are those of the mean over the batch."""

from __future__ import annotations

from nnrun.engines.compiled.kernels.access import doubles, floating, function, parameters, pointer
from nnrun.engines.compiled.kernels.elementwise.softmax import normalised
from nnrun.engines.compiled.kernels.parts import row_range
from nnrun.engines.compiled.language.numbers import double, real


def _gradient(p, task, n, slope, parts):
    """dL/dy, number by number, of a mean over `parts` numbers for each row."""
    y, y_row, t, t_row, dy, dy_row, size, delta, rows = parameters(p, 9)
    y, t, dy, delta = pointer(y), pointer(t), pointer(dy), real(floating(delta))
    first, last = row_range(task, rows, n)
    factor = real(1) / real(n * (size if parts else 1))
    for r in range(first, last):
        for j in range(size):
            dy[r * dy_row + j] = slope(y[r * y_row + j], t[r * t_row + j], delta) * factor


def _value(p, task, n, start, cost, parts):
    """The loss of each row, in float64: a mean over its numbers with `parts`, else their sum."""
    y, y_row, t, t_row, losses, size, delta, rows = parameters(p, 8)
    y, t, losses, delta = pointer(y), pointer(t), doubles(losses), real(floating(delta))
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        total = double(real(0))
        for j in range(size):
            total = total + double(cost(y[r * y_row + j], t[r * t_row + j], delta))
        losses[start + r] = total / double(size) if parts else total


def mean_squared(p, task, n, k, start, rate, scratch):
    """2 (y - t) / (rows · outputs)."""
    _gradient(p, task, n, _twice_error, True)


def _twice_error(y, t, delta):
    return real(2) * (y - t)


def mean_squared_value(p, task, n, k, start, rate, scratch):
    """Mean (y - t)²."""
    _value(p, task, n, start, _squared, True)


def _squared(y, t, delta):
    return (y - t) * (y - t)


def mean_absolute(p, task, n, k, start, rate, scratch):
    """sign(y - t) / (rows · outputs)."""
    _gradient(p, task, n, _sign, True)


def _sign(y, t, delta):
    error = y - t
    return real(1) if error > 0.0 else (real(-1) if error < 0.0 else error)


def mean_absolute_value(p, task, n, k, start, rate, scratch):
    """Mean |y - t|."""
    _value(p, task, n, start, _distance, True)


def _distance(y, t, delta):
    return abs(y - t)


def huber(p, task, n, k, start, rate, scratch):
    """y - t, held within ± delta, / (rows · outputs)."""
    _gradient(p, task, n, _held, True)


def _held(y, t, delta):
    error = y - t
    error = delta if error > delta else error
    return -delta if error < -delta else error


def huber_value(p, task, n, k, start, rate, scratch):
    """Mean of e² / 2 where |e| ≤ delta, else delta (|e| - delta / 2)."""
    _value(p, task, n, start, _bent, True)


def _bent(y, t, delta):
    error = abs(y - t)
    small = delta if error > delta else error
    return small * (error - small / real(2))


def cross_entropy(p, task, n, k, start, rate, scratch):
    """-t / p / rows."""
    _gradient(p, task, n, _ratio, False)


def _ratio(y, t, delta):
    return -t / y if t > 0.0 else real(0)


def cross_entropy_value(p, task, n, k, start, rate, scratch):
    """-Σ t log p."""
    _value(p, task, n, start, _surprise, False)


def _surprise(y, t, delta):
    log = function("log")
    return -t * log(y) if t > 0.0 else real(0)


def binary_cross_entropy(p, task, n, k, start, rate, scratch):
    """((1 - t) / (1 - p) - t / p) / rows."""
    _gradient(p, task, n, _ratios, False)


def _ratios(y, t, delta):
    no = (real(1) - t) / (real(1) - y) if t < 1.0 else real(0)
    yes = t / y if t > 0.0 else real(0)
    return no - yes


def binary_cross_entropy_value(p, task, n, k, start, rate, scratch):
    """-Σ (t log p + (1 - t) log(1 - p))."""
    _value(p, task, n, start, _surprises, False)


def _surprises(y, t, delta):
    log, log1m = function("log"), function("log1m")
    yes = t * log(y) if t > 0.0 else real(0)
    no = (real(1) - t) * log1m(y) if t < 1.0 else real(0)
    return -(yes + no)


def sigmoid_binary_cross_entropy(p, task, n, k, start, rate, scratch):
    """(sigmoid(z) - t) / rows, from the logits z."""
    _gradient(p, task, n, _sigmoid_error, False)


def _sigmoid_error(y, t, delta):
    sigmoid = function("sigmoid")
    return sigmoid(y) - t


def sigmoid_binary_cross_entropy_value(p, task, n, k, start, rate, scratch):
    """Σ (softplus(z) - z t), from the logits z."""
    _value(p, task, n, start, _logit_cost, False)


def _logit_cost(y, t, delta):
    softplus = function("softplus")
    return softplus(y) - y * t


def softmax_cross_entropy(p, task, n, k, start, rate, scratch):
    """(softmax(z) - t) / rows, from the logits z."""
    y, y_row, t, t_row, dy, dy_row, size, delta, rows = parameters(p, 9)
    y, t, dy = pointer(y), pointer(t), pointer(dy)
    first, last = row_range(task, rows, n)
    factor = real(1) / real(n)
    for r in range(first, last):
        target, truth = dy + r * dy_row, t + r * t_row
        normalised(y + r * y_row, target, size)
        for j in range(size):
            target[j] = (target[j] - truth[j]) * factor


def softmax_cross_entropy_value(p, task, n, k, start, rate, scratch):
    """-Σ t log p with log p = z - m - log Σ exp(z - m), from the logits z, m the largest."""
    y, y_row, t, t_row, losses, size, delta, rows = parameters(p, 8)
    y, t, losses = pointer(y), pointer(t), doubles(losses)
    exp, log = function("exp_nonpositive"), function("log")
    first, last = row_range(task, rows, n)
    for r in range(first, last):
        logits, truth = y + r * y_row, t + r * t_row
        largest = logits[0]
        for j in range(1, size):
            value = logits[j]
            largest = value if value > largest else largest
        total = real(0)
        for j in range(size):
            total = total + exp(logits[j] - largest)
        whole = log(total)
        cost = double(real(0))
        for j in range(size):
            cost = cost - double(truth[j] * ((logits[j] - largest) - whole))
        losses[start + r] = cost
