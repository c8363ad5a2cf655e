"""Convolution of 3×3 by Winograd's F(2×2, 3×3), and its tiles: 16 products where there were 36."""

from __future__ import annotations

from math import isqrt
from typing import Any

from nnrun.compiler.code import Code, integers, intrinsic, read, write
from nnrun.engines.kernels import scratch as sizes
from nnrun.engines.kernels.convolution import clear, list_numbers, sum_pixels, sum_taps, widths
from nnrun.engines.kernels.primitives import itemsize, pieces, pointer, row_range
from nnrun.engines.kernels.sizes import LEAST, PLACES
from nnrun.engines.kernels.sizes import WINOGRAD_TILES as BLOCK

# The tiles of Winograd's F(2×2, 3×3): their positions, and transforms of squares.
#
# A square X is transformed to A X Aᵀ: each of its columns x to A x, then each row of the result.
# `winograd.py` explains the matrices.


def tiles_of(rows, oh, ow):
    """The number of tiles of `rows` images, with oh × ow outputs each."""
    return rows * ((oh + 1) // 2) * ((ow + 1) // 2)


def tile_at(number, oh, ow):
    """The image that a tile belongs to, and the line and column of its first output."""
    across = (ow + 1) // 2
    in_row = across * ((oh + 1) // 2)
    rest = number % in_row
    return number // in_row, rest // across * 2, rest % across * 2


@intrinsic
def square(
    t: Code, side: int, base: Any, line: Any, step: Any, i: Any, j: Any,
    height: Any, width: Any, outside: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Addresses of side × side pixels of a map from (i, j) on; `outside` for pixels beyond it."""
    b, steps = t.builder, [t.integer(n) for n in range(side)]
    # One comparison for both ends: a negative index is a large unsigned number.
    columns = [b.add(j, n) for n in steps]
    places = [(b.mul(one, step), b.icmp_unsigned("<", one, width)) for one in columns]
    found = []
    for n in steps:
        row = b.add(i, n)
        start, inside = t.address(base, b.mul(row, line)), b.icmp_unsigned("<", row, height)
        found += [
            b.select(b.and_(inside, within), t.address(start, place), outside)
            for place, within in places
        ]
    return tuple(found)


@intrinsic
def spaced(t: Code, base: Any, pitch: Any, count: int = 16) -> tuple[Any, ...]:
    """`count` addresses from `base` on, `pitch` apart."""
    return tuple(t.address(base, t.builder.mul(pitch, t.integer(n))) for n in range(count))


@intrinsic
def transform(
    t: Code, line: Any, sources: Any, targets: Any, first: Any, last: Any, added: Any = ()
) -> None:
    """Transform the squares at `sources` plus n into `targets` plus n, for n from first to last.

    Numbers at the addresses `added` are added to the results.
    """

    def once(at: Any) -> None:
        values = both_ways(t, line, [read(t, t.address(one, at), LEAST) for one in sources])
        biases = [read(t, t.address(one, at), LEAST) for one in added]
        if biases:
            pairs = zip(values, biases, strict=True)
            values = [t.builder.fadd(value, bias) for value, bias in pairs]
        for value, target in zip(values, targets, strict=True):
            write(t, value, t.address(target, at))

    t.loop(first, last, LEAST, once)


@intrinsic
def transform_one(t: Code, line: Any, sources: Any, targets: Any, at: Any) -> None:
    """Transform the square of the numbers at `sources` into `targets` plus `at`."""
    values = both_ways(t, line, [t.builder.load(one) for one in sources])
    for value, target in zip(values, targets, strict=True):
        t.builder.store(value, t.address(target, at))


def both_ways(t: Code, line: Any, values: Any) -> list[Any]:
    """A square, line by line: all columns are transformed, then all rows of the result."""
    side = isqrt(len(values))
    rows = [values[n : n + side] for n in range(0, len(values), side)]
    columns = [t.inline(line, list(column)) for column in zip(*rows, strict=True)]
    return [one for row in zip(*columns, strict=True) for one in t.inline(line, list(row))]


def input_line(a, b, c, d):
    """Bᵀ d."""
    return a - c, b + c, c - b, b - d


def output_line(a, b, c, d):
    """Aᵀ m."""
    return a + b + c, b - c - d


def spread_line(a, b):
    """A dy."""
    return a, a + b, a - b, -b


def weight_line(a, b, c):
    """G g."""
    outer = a + c
    return a, 0.5 * (outer + b), 0.5 * (outer - b), c


def gradient_line(a, b, c, d):
    """Gᵀ du."""
    inner = 0.5 * (b + c)
    return a + inner, 0.5 * (b - c), inner + d


# Convolution of 3×3 by Winograd's F(2×2, 3×3): 16 products where there were 36.
#
# A tile of 2×2 outputs needs 4×4 inputs d. With g the 3×3 weights of a pair of channels,
#
#     y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A,
#
# and the products of each of the 16 places, summed over the channels, are a matrix product of
# (tiles × inputs) and (inputs × outputs). All of it is linear in d and in g, so the gradients are
# the same sums turned round: dx is a convolution with the turned weights, and
#
#     dg = Gᵀ [ Σ_tiles (Bᵀ d B) ⊙ (A dy Aᵀ) ] G.
#
# Lavin, Gray: Fast Algorithms for Convolutional Neural Networks. CVPR 2016.

# Of LLVM's passes, the one that moves variables into registers.
LEVEL = 1


def winograd(
    task, n, scratch, x, x_row, x_line, x_pixel, u, b, b_line, b_pixel, y, y_row, y_line, y_pixel,
    channels, units, top, left, height, width, oh, ow, rows,
):  # fmt: skip
    """y[i, j, o] = b + Σ_{a, b, c} x[i + a - top, j + b - left, c] w[a, b, c, o], from u of w.

    x has height × width pixels, and zeros outside of them; y has oh × ow. `channels` are those of
    u; `units` are as stored, with u and b as wide as y. With the u of turned weights, and
    2 - padding for top and left, it computes dx from dy.
    """
    x, y, u = pointer(x), pointer(y), pointer(u)
    lengths = sizes.winograd(x_pixel, units, channels, itemsize())
    zeros, table, v, m, lost = pieces(scratch, lengths)
    zeros, table, lost = pointer(zeros), integers(table), pointer(lost)
    v, m = pointer(v), pointer(m)
    clear(zeros, x_pixel + units + widths()[0])
    list_numbers(table, channels)
    bias = zeros if b == 0 else pointer(b)
    first, last = row_range(task, rows, n)
    total, places = tiles_of(last - first, oh, ow), 16  # a variable: its loop stays one
    for start in range(0, total, BLOCK):
        count = min(total - start, BLOCK)
        for tile in range(count):
            r, i, j = tile_at(start + tile, oh, ow)
            image = x + (first + r) * x_row
            i, j = i - top, j - left
            sources = square(4, image, x_line, x_pixel, i, j, height, width, zeros)
            targets = spaced(v + tile * x_pixel, PLACES * x_pixel)
            transform(input_line, sources, targets, 0, x_pixel)
        for e in range(places):
            o = 0
            for lanes in widths():
                while o + lanes <= units:
                    sum_pixels(
                        lanes, count, zeros, v + e * PLACES * x_pixel,
                        u + (e * channels * units + o), m + (e * PLACES * units + o),
                        table, channels, 0, x_pixel, units, units,
                    )  # fmt: skip
                    o += lanes
        for tile in range(count):
            r, i, j = tile_at(start + tile, oh, ow)
            image = y + (first + r) * y_row
            sources = spaced(m + tile * units, PLACES * units)
            targets = square(2, image, y_line, y_pixel, i, j, oh, ow, lost)
            biases = square(2, bias, b_line, b_pixel, i, j, oh, ow, zeros)
            transform(output_line, sources, targets, 0, units, biases)


def winograd_weights(
    task, n, scratch, x, x_row, x_line, x_pixel, dy, dy_row, dy_line, dy_pixel, dw, dw_task,
    channels, units, oh, ow, rows,
):  # fmt: skip
    """dw[a, b, c, o] = Σ x[i + a, j + b, c] dy[i, j, o] over the pixels of the task's rows.

    It is written to place number `task`, `dw_task` numbers from one to the next. `channels` are
    those of dw; `units` are as stored.
    """
    x, dy = pointer(x), pointer(dy)
    lengths = sizes.winograd_weights(x_pixel, units, channels, itemsize())
    zeros, table, v, m, du = pieces(scratch, lengths)
    zeros, table, v, m, du = pointer(zeros), integers(table), pointer(v), pointer(m), pointer(du)
    clear(zeros, x_pixel + units + widths()[0])
    list_numbers(table, channels)
    clear(du, 16 * channels * units)
    first, last = row_range(task, rows, n)
    total, places = tiles_of(last - first, oh, ow), 16  # a variable: its loop stays one
    for start in range(0, total, BLOCK):
        count = min(total - start, BLOCK)
        for tile in range(count):
            r, i, j = tile_at(start + tile, oh, ow)
            image, slopes = x + (first + r) * x_row, dy + (first + r) * dy_row
            sources = square(4, image, x_line, x_pixel, i, j, oh + 2, ow + 2, zeros)
            targets = spaced(v + tile * x_pixel, PLACES * x_pixel)
            transform(input_line, sources, targets, 0, x_pixel)
            sources = square(2, slopes, dy_line, dy_pixel, i, j, oh, ow, zeros)
            targets = spaced(m + tile * units, PLACES * units)
            transform(spread_line, sources, targets, 0, units)
        for e in range(places):
            o = 0
            for lanes in widths():
                while o + lanes <= units:
                    into = du + (e * channels * units + o)
                    sum_taps(
                        lanes, 0, channels, into, v + e * PLACES * x_pixel,
                        m + (e * PLACES * units + o), into, table, 1, count,
                        units, 0, x_pixel, 0, units, units,
                    )  # fmt: skip
                    o += lanes
    place = channels * units
    sources, targets = spaced(du, place), spaced(pointer(dw) + task * dw_task, place, 9)
    transform(gradient_line, sources, targets, 0, place)


def transform_weights(task, w, u, channels, units, rows):
    """u = G g Gᵀ, as (16, channels, units), of w, as (3, 3, channels, units).

    `units` are as stored. A task transforms `rows` channels.
    """
    first, last = row_range(task, rows, channels)
    sources = spaced(pointer(w), channels * units, 9)
    targets = spaced(pointer(u), channels * units)
    transform(weight_line, sources, targets, first * units, last * units)


def transform_turned(task, w, u, channels, channels_stored, units, units_stored, rows):
    """u = G g Gᵀ, as (16, units, channels), of w by half a turn: for dx from dy.

    `channels_stored` and `units_stored` are those of u and w. A task transforms `rows` units.
    """
    w, u = pointer(w), pointer(u)
    first, last = row_range(task, rows, units)
    for o in range(first, last):
        targets = spaced(u + o * channels_stored, units * channels_stored)
        for c in range(channels):
            end = w + (8 * channels * units_stored + c * units_stored + o)
            taps = spaced(end, -channels * units_stored, 9)
            transform_one(weight_line, taps, targets, c)
        for c in range(channels, channels_stored):
            for e in range(16):
                targets[e][c] = 0
