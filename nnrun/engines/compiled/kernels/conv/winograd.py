"""Convolution of 3×3 by Winograd's F(2×2, 3×3): 16 products where there were 36.

A tile of 2×2 outputs needs 4×4 inputs d. With g the 3×3 weights of a pair of channels,

    y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A,

and the products of each of the 16 places, summed over the channels, are a matrix product of
(tiles × inputs) and (inputs × outputs). All of it is linear in d and in g, so the gradients are
the same sums turned round: dx is a convolution with the turned weights, and

    dg = Gᵀ [ Σ_tiles (Bᵀ d B) ⊙ (A dy Aᵀ) ] G.

Lavin, Gray: Fast Algorithms for Convolutional Neural Networks. CVPR 2016.
"""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.kernels.conv.convolution import gathered, identity
from nnrun.engines.compiled.kernels.conv.pieces import LEAST, Group, Pieces
from nnrun.engines.compiled.kernels.conv.winograd_tiles import (
    Places,
    both_ways,
    gradient_line,
    input_line,
    output_line,
    pixels,
    spaced,
    spread_line,
    transform,
    weight_line,
)
from nnrun.engines.compiled.kernels.sizes.winograd import BLOCK
from nnrun.engines.compiled.kernels.writer import Kernel, Value, written

LEVEL = 0  # of LLVM's passes: none


@written
def winograd(module: Any, symbol: str, dtype: str) -> None:
    """y[i, j, o] = b + Σ_{a, b, c} x[i + a - top, j + b - left, c] w[a, b, c, o], from u of w.

    x has height × width pixels, and zeros outside of them; y has oh × ow. `channels` are those of
    u; `units` are as stored, with u and b as wide as y. With the u of turned weights, and
    2 - padding for top and left, it computes dx from dy.
    """
    k, pieces = Kernel(module, symbol, dtype), Pieces(module, dtype)
    channels, u_row, x_length = k["channels"], k.bytes("units"), k.bytes("x_pixel")
    zeros, table, v, m, lost = k.pieces()
    k.clear(zeros, k.largest(k.largest(x_length, u_row), pieces.widest * k.size))
    identity(k, table, channels)
    # A row more than there are tiles, so that the 16 places do not share a set of the cache.
    v_place, m_place = k.mul(BLOCK + 1, x_length), k.mul(BLOCK + 1, u_row)
    u_place = k.mul(channels, u_row)
    places = Places(k)

    def block(start: Value) -> None:
        count = k.least(k.sub(places.total, start), BLOCK)

        def tile(n: Value) -> None:
            row, i, j = places.of(k.add(start, n))
            i, j = k.sub(i, k["top"]), k.sub(j, k["left"])
            sources = pixels(k, "x", 4, (row, i, j), (k["height"], k["width"]), zeros)
            targets = spaced(k, k.at(v, k.mul(n, x_length)), v_place)
            transform(k, input_line(k), sources, targets, (k.integer(0), x_length))

        k.repeat(count, tile)

        def place(e: Value) -> None:
            v_here, m_here = k.at(v, k.mul(e, v_place)), k.at(m, k.mul(e, m_place))
            u_here = k.at(k.pointer("u"), k.mul(e, u_place))

            def columns(group: Group, column: Value) -> None:
                offset = k.mul(column, k.size)

                def piece(rows: int, n: Value) -> None:
                    k.call(
                        pieces.pixels(rows, group),
                        zeros, k.at(v_here, k.mul(n, x_length)), k.at(u_here, offset),
                        k.at(m_here, k.mul(n, u_row), offset), table, channels,
                        0, x_length, u_row, u_row,
                    )  # fmt: skip

                pieces.rows(k, count, group, piece)

            pieces.columns(k, k["units"], columns)

        k.repeat(16, place)
        _outputs_of(k, places, (start, count), m, (zeros, lost))

    k.repeat(places.total, block, step=BLOCK)
    k.end()


def _outputs_of(
    k: Kernel,
    places: Places,
    block: tuple[Value, Value],
    m: Value,
    outside: tuple[Value, Value],
) -> None:
    """Transform a block's sums into pixels of y; those beyond y go to `outside`."""
    (start, count), m_row, (zeros, lost) = block, k.bytes("units"), outside
    place = k.mul(BLOCK + 1, m_row)
    absent = k.compare("==", k["b"], 0)
    bias = k.b.select(absent, zeros, k.pointer("b"))

    def tile(n: Value) -> None:
        row, i, j = places.of(k.add(start, n))
        sources, biases = spaced(k, k.at(m, k.mul(n, m_row)), place), []
        targets = pixels(k, "y", 2, (row, i, j), (k["oh"], k["ow"]), lost)
        for index, here in enumerate(targets):
            absent_here = k.b.icmp_unsigned("==", here, lost)
            line, pixel = k.add(i, index // 2), k.add(j, index % 2)
            distances = k.mul(line, k.bytes("b_line")), k.mul(pixel, k.bytes("b_pixel"))
            biases.append(k.b.select(absent_here, zeros, k.at(bias, *distances)))

        def numbers(at: Value) -> None:
            square = [k.load(k.vector(LEAST), k.at(source, at)) for source in sources]
            values = both_ways(output_line(k), square)
            for value, b_here, target in zip(values, biases, targets, strict=True):
                total = k.b.fadd(value, k.load(value.type, k.at(b_here, at)))
                k.store(total, k.at(target, at))

        k.repeat(m_row, numbers, step=LEAST * k.size)

    k.repeat(count, tile)


@written
def winograd_weights(module: Any, symbol: str, dtype: str) -> None:
    """dw[a, b, c, o] = Σ x[i + a, j + b, c] dy[i, j, o] over the pixels of the task's rows.

    It is written to place number `task`, `dw_task` numbers from one to the next. `channels` are
    those of dw; `units` are as stored.
    """
    k, pieces = Kernel(module, symbol, dtype), Pieces(module, dtype)
    channels, dw_row, x_length = k["channels"], k.bytes("units"), k.bytes("x_pixel")
    zeros, table, v, m, du = k.pieces()
    k.clear(zeros, k.largest(k.largest(x_length, dw_row), pieces.widest * k.size))
    identity(k, table, channels)
    v_place, m_place = k.mul(BLOCK + 1, x_length), k.mul(BLOCK + 1, dw_row)
    du_place = k.mul(channels, dw_row)
    k.clear(du, k.mul(16, du_place))
    places = Places(k)
    x_sides, y_sides = (k.add(k["oh"], 2), k.add(k["ow"], 2)), (k["oh"], k["ow"])

    def block(start: Value) -> None:
        count = k.least(k.sub(places.total, start), BLOCK)

        def tile(n: Value) -> None:
            where = places.of(k.add(start, n))
            sources = pixels(k, "x", 4, where, x_sides, zeros)
            targets = spaced(k, k.at(v, k.mul(n, x_length)), v_place)
            transform(k, input_line(k), sources, targets, (k.integer(0), x_length))
            sources = pixels(k, "dy", 2, where, y_sides, zeros)
            targets = spaced(k, k.at(m, k.mul(n, dw_row)), m_place)
            transform(k, spread_line(k), sources, targets, (k.integer(0), dw_row))

        k.repeat(count, tile)

        def place(e: Value) -> None:
            v_here, m_here = k.at(v, k.mul(e, v_place)), k.at(m, k.mul(e, m_place))

            def columns(group: Group, column: Value) -> None:
                offset = k.mul(column, k.size)

                def piece(rows: int, c: Value) -> None:
                    here = k.at(du, k.mul(e, du_place), k.mul(c, dw_row), offset)
                    k.call(
                        pieces.taps(rows, group),
                        here, v_here, k.at(m_here, offset), here, k.at(table, k.mul(c, 8)),
                        1, count, dw_row, 0, x_length, 0, dw_row, dw_row,
                    )  # fmt: skip

                pieces.rows(k, channels, group, piece)

            pieces.columns(k, k["units"], columns)

        k.repeat(16, place)

    k.repeat(places.total, block, step=BLOCK)
    dw = k.at(k.pointer("dw"), k.mul(k.task, k.bytes("dw_task")))

    sources, targets = spaced(k, du, du_place), spaced(k, dw, du_place, 9)
    transform(k, gradient_line(k), sources, targets, (k.integer(0), du_place))
    k.end()


@written
def transform_weights(module: Any, symbol: str, dtype: str) -> None:
    """u = G g Gᵀ, as (16, channels, units), of w, as (3, 3, channels, units).

    `units` are as stored. A task transforms `rows` channels.
    """
    k = Kernel(module, symbol, dtype)
    row = k.bytes("units")
    place = k.mul(k["channels"], row)
    first, last = k.rows(k["channels"])

    sources, targets = spaced(k, k.pointer("w"), place, 9), spaced(k, k.pointer("u"), place)
    transform(k, weight_line(k), sources, targets, (k.mul(first, row), k.mul(last, row)))
    k.end()


@written
def transform_turned(module: Any, symbol: str, dtype: str) -> None:
    """u = G g Gᵀ, as (16, units, channels), of w by half a turn: for dx from dy.

    `channels_stored` and `units_stored` are those of u and w. A task transforms `rows` units.
    """
    k = Kernel(module, symbol, dtype)
    w_row, u_row = k.bytes("units_stored"), k.bytes("channels_stored")
    tap, place = k.mul(k["channels"], w_row), k.mul(k["units"], u_row)
    first, last = k.rows(k["units"])

    def unit(o: Value) -> None:
        source = k.at(k.pointer("w"), k.mul(o, k.size))
        targets = spaced(k, k.at(k.pointer("u"), k.mul(o, u_row)), place)

        def channels(c: Value) -> None:
            taps = [
                gathered(k, k.at(source, k.mul(tap, 8 - n)), w_row, c, k["channels"])
                for n in range(9)
            ]
            for value, target in zip(both_ways(weight_line(k), taps), targets, strict=True):
                k.store(value, k.at(target, k.mul(c, k.size)))

        k.repeat(k["channels_stored"], channels, step=LEAST)

    k.repeat(last, unit, start=first)
    k.end()
