"""Batch normalisation with its statistics, and the sums over rows that are gradients of biases."""

from __future__ import annotations

from nnrun.compiler.code import read, real, room, spread, sqrt, write
from nnrun.engines.kernels.primitives import column_range, floating, pointer, row_range
from nnrun.engines.kernels.sizes import LEAST, vectors

# Batch normalisation, a block of rows at a time, with the sums that go before it.
#
# x̂ = (x - mean) · inverse with inverse = 1 / sqrt(variance + ε), all of them by channel. Lines of
# pixels are summed up by themselves, then the lines of an image, then the images: thousands of
# numbers one after the other would lose digits in float32.
#
# Maps of a kernel are tuples of an address and the distances to the next row, line and pixel.

LEVEL = 1
WIDTHS = 2 * LEAST, LEAST


def moments(task, n, x, x_row, x_line, x_pixel, sums, squares, part, channels, height, width, rows):
    """The task's Σ x, and Σ (x - m)² with m the mean of the task's own numbers."""
    sums, squares = pointer(sums) + task * part, pointer(squares) + task * part
    first, last = row_range(task, rows, n)
    held = real((last - first) * height * width)
    c = 0
    for lanes in WIDTHS:
        while c + lanes <= vectors(channels):
            here = pointer(x) + c, x_row, x_line, x_pixel
            block, zero = (first, last, height, width), spread(0, lanes)
            total = sum_up(number, 1, lanes, here, here, zero, block)
            write(total[0], sums + c)
            deviations = sum_up(square, 1, lanes, here, here, total[0] / held, block)
            write(deviations[0], squares + c)
            c += lanes


def normalise_sums(
    task, n, x, x_row, x_line, x_pixel, mean, inverse, dy, dy_row, dy_line, dy_pixel,
    dbeta, dgamma, part, channels, height, width, rows,
):  # fmt: skip
    """The task's Σ dy and Σ dy x̂, which are parts of dβ and dγ."""
    dbeta, dgamma = pointer(dbeta) + task * part, pointer(dgamma) + task * part
    first, last = row_range(task, rows, n)
    c = 0
    for lanes in WIDTHS:
        while c + lanes <= vectors(channels):
            here = pointer(x) + c, x_row, x_line, x_pixel
            slopes = pointer(dy) + c, dy_row, dy_line, dy_pixel
            block, center = (first, last, height, width), read(pointer(mean) + c, lanes)
            totals = sum_up(slopes_of, 2, lanes, here, slopes, center, block)
            write(totals[0], dbeta + c)
            write(totals[1] * read(pointer(inverse) + c, lanes), dgamma + c)
            c += lanes


def sum_up(terms, count, lanes, x, dy, mean, block):
    """The sums of this many terms of each pixel, over a block of rows."""
    total, image, line = (room(count, mean), room(count, mean), room(count, mean))
    clear(total, count, lanes)
    for r in range(block[0], block[1]):
        clear(image, count, lanes)
        for i in range(block[2]):
            clear(line, count, lanes)
            here, slopes = x[0] + (r * x[1] + i * x[2]), dy[0] + (r * dy[1] + i * dy[2])
            for j in range(block[3]):
                found = terms(read(here + j * x[3], lanes), slopes + j * dy[3], mean, lanes)
                add(found, line, count)
            add(line, image, count)
        add(image, total, count)
    return total


def number(x, dy, mean, lanes):
    """A pixel's number."""
    return (x,)


def square(x, dy, mean, lanes):
    """(x - m)²."""
    centred = x - mean
    return (centred * centred,)


def slopes_of(x, dy, mean, lanes):
    """dy, and dy (x - mean)."""
    slope = read(dy, lanes)
    return slope, slope * (x - mean)


def clear(sums, count, lanes):
    """Zeros for the sums."""
    for m in range(count):
        sums[m] = spread(0, lanes)


def add(values, sums, count):
    """Add values to the sums."""
    for m in range(count):
        sums[m] = sums[m] + values[m]


def normalise(
    task, n, x, x_row, x_line, x_pixel, mean, inverse, gamma, beta, y, y_row, y_line, y_pixel,
    channels, height, width, rows,
):  # fmt: skip
    """y = γ x̂ + β; y may be x."""
    first, last = row_range(task, rows, n)
    c = 0
    for lanes in WIDTHS:
        while c + lanes <= vectors(channels):
            center, shift = read(pointer(mean) + c, lanes), read(pointer(beta) + c, lanes)
            factor = read(pointer(gamma) + c, lanes) * read(pointer(inverse) + c, lanes)
            for r in range(first, last):
                for i in range(height):
                    source = pointer(x) + (r * x_row + i * x_line + c)
                    target = pointer(y) + (r * y_row + i * y_line + c)
                    for j in range(width):
                        centred = read(source + j * x_pixel, lanes) - center
                        write(centred * factor + shift, target + j * y_pixel)
            c += lanes


def normalise_back(
    task, n, x, x_row, x_line, x_pixel, mean, inverse, gamma, dy, dy_row, dy_line, dy_pixel,
    dbeta, dgamma, dx, dx_row, dx_line, dx_pixel, channels, height, width, rows,
):  # fmt: skip
    """dx = γ · inverse · (dy - dβ / N - x̂ dγ / N), with N numbers in each sum; dx may be dy."""
    first, last = row_range(task, rows, n)
    count = real(n * height * width)
    c = 0
    for lanes in WIDTHS:
        while c + lanes <= vectors(channels):
            center, inverse_c = read(pointer(mean) + c, lanes), read(pointer(inverse) + c, lanes)
            factor = read(pointer(gamma) + c, lanes) * inverse_c
            shift = read(pointer(dbeta) + c, lanes) / count
            slope = read(pointer(dgamma) + c, lanes) / count * inverse_c
            for r in range(first, last):
                for i in range(height):
                    before = pointer(x) + (r * x_row + i * x_line + c)
                    source = pointer(dy) + (r * dy_row + i * dy_line + c)
                    target = pointer(dx) + (r * dx_row + i * dx_line + c)
                    for j in range(width):
                        along = (read(before + j * x_pixel, lanes) - center) * slope + shift
                        rest = read(source + j * dy_pixel, lanes) - along
                        write(rest * factor, target + j * dx_pixel)
            c += lanes


# Mean and variance of the whole batch for batch normalisation, a chunk of channels at a time.


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


# The sums over rows that are the gradients of biases.
#
# Lines of db are `db_line` numbers apart, and pixels `db_pixel`: both 0 for a bias per channel.


def sum_rows(
    task, n, dy, dy_row, dy_line, dy_pixel, db, db_task, db_line, db_pixel,
    channels, height, width, rows,
):  # fmt: skip
    """db = Σ dy over the task's rows, into the task's buffer.

    Each number is one sum, over the pixels in their order; channels are taken in whole vectors.
    """
    dy, db = pointer(dy), pointer(db) + task * db_task
    first, last = row_range(task, rows, n)
    c = 0
    if db_line == 0 and db_pixel == 0:
        for lanes in (4 * LEAST, 2 * LEAST, LEAST):
            while c + lanes <= vectors(channels):
                total = spread(0, lanes)
                for r in range(first, last):
                    for i in range(height):
                        line = dy + (r * dy_row + i * dy_line + c)
                        for j in range(width):
                            total = total + read(line + j * dy_pixel, lanes)
                write(total, db + c)
                c += lanes
    else:
        for r in range(first, last):
            for i in range(height):
                for j in range(width):
                    source = dy + (r * dy_row + i * dy_line + j * dy_pixel)
                    target = db + (i * db_line + j * db_pixel)
                    for k in range(0, channels, LEAST):
                        before = spread(0, LEAST) if r == first else read(target + k, LEAST)
                        write(before + read(source + k, LEAST), target + k)
