"""Convolution of images with the channels last, and its gradients: no patches are copied.

A piece of y is a few neighbouring pixels of a line by a few channels; its sums run over the taps,
whose distances in x are in a table. dx has the same pieces, added tap by tap. A piece of dw is a
few taps by a few channels; its sums run over the pixels.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nnrun.engines.compiled.kernels.conv.pieces import LEAST, Group, Pieces
from nnrun.engines.compiled.kernels.writer import Kernel, Value, written

LEVEL = 0  # of LLVM's passes: none


@written
def convolve(module: Any, symbol: str, dtype: str) -> None:
    """y[i, j, o] = b + Σ_{a, b, c} x[i s + a, j s + b, c] w[a, b, c, o].

    `channels` are those of w; `units` are as stored, with w and b as wide as y.
    """
    k, pieces = Kernel(module, symbol, dtype), Pieces(module, dtype)
    no_bias, table = k.pieces()
    k.clear(no_bias, pieces.widest * k.size)
    steps = _table_of_taps(k, table)
    units, w_row = k["units"], k.bytes("units")
    x_line, x_pixel = k.mul(k["sh"], k.bytes("x_line")), k.mul(k["sw"], k.bytes("x_pixel"))
    y_line, y_pixel = k.bytes("y_line"), k.bytes("y_pixel")
    b_line, b_pixel = k.bytes("b_line"), k.bytes("b_pixel")
    absent = k.compare("==", k["b"], 0)
    bias, weights = k.b.select(absent, no_bias, k.pointer("b")), k.pointer("w")

    def image(row: Value) -> None:
        x = k.at(k.pointer("x"), k.mul(row, k.bytes("x_row")))
        y = k.at(k.pointer("y"), k.mul(row, k.bytes("y_row")))

        def columns(group: Group, column: Value) -> None:
            offset = k.mul(column, k.size)
            w_here, b_offset = k.at(weights, offset), k.select(absent, 0, offset)

            def line(i: Value) -> None:
                x_here = k.at(x, k.mul(i, x_line))
                y_here = k.at(y, k.mul(i, y_line), offset)
                b_here = k.at(bias, k.mul(i, b_line), b_offset)

                def piece(rows: int, j: Value) -> None:
                    k.call(
                        pieces.pixels(rows, group),
                        k.at(b_here, k.mul(j, b_pixel)), k.at(x_here, k.mul(j, x_pixel)), w_here,
                        k.at(y_here, k.mul(j, y_pixel)), table, steps,
                        b_pixel, x_pixel, w_row, y_pixel,
                    )  # fmt: skip

                pieces.rows(k, k["ow"], group, piece)

            k.repeat(k["oh"], line)

        pieces.columns(k, units, columns)

    first, last = k.rows(k.n)
    k.repeat(last, image, start=first)
    k.end()


@written
def convolve_back(module: Any, symbol: str, dtype: str) -> None:
    """dx[i s + a - top, j s + b - left, c] = Σ_{a, b, o} dy[i, j, o] w[a, b, o, c].

    w are the turned weights, as wide as dx with its stored `channels`; `units` are those of w.
    The sum of each number runs over a, b, o in this order. dx is written in height × width pixels.
    """
    k, pieces = Kernel(module, symbol, dtype), Pieces(module, dtype)
    units, channels, w_row = k["units"], k["channels"], k.bytes("channels")
    (table,) = k.pieces()
    identity(k, table, units)
    dx_line, dx_pixel = k.bytes("dx_line"), k.bytes("dx_pixel")
    dy_line, dy_pixel = k.bytes("dy_line"), k.bytes("dy_pixel")
    down, across, width = k["sh"], k["sw"], k["width"]
    dx_step, w_tap = k.mul(across, dx_pixel), k.mul(units, w_row)
    weights = k.pointer("w")

    def image(row: Value) -> None:
        dx = k.at(k.pointer("dx"), k.mul(row, k.bytes("dx_row")))
        dy = k.at(k.pointer("dy"), k.mul(row, k.bytes("dy_row")))

        def line(i: Value) -> None:
            target = k.at(dx, k.mul(i, dx_line))
            k.repeat(width, lambda j: k.clear(k.at(target, k.mul(j, dx_pixel)), w_row))

            def tap_line(a: Value) -> None:
                distance = k.sub(k.add(i, k["top"]), a)
                source = k.div(distance, down)
                whole = k.compare("==", k.mul(source, down), distance)

                def tap(b: Value) -> None:
                    # Pixels of dy whose tap b is inside dx.
                    shift = k.sub(b, k["left"])
                    begin = k.largest(k.div(k.sub(k.sub(across, 1), shift), across), 0)
                    end = k.div(k.sub(k.sub(k.add(width, across), 1), shift), across)
                    count = k.sub(k.least(end, k["ow"]), begin)
                    column = k.add(k.mul(begin, across), shift)
                    into = k.at(target, k.mul(column, dx_pixel))
                    dy_here = k.at(dy, k.mul(source, dy_line), k.mul(begin, dy_pixel))
                    place = k.add(k.mul(a, k["kw"]), b)
                    w_here = k.at(weights, k.mul(place, w_tap))

                    def columns(group: Group, column: Value) -> None:
                        offset = k.mul(column, k.size)

                        def piece(rows: int, j: Value) -> None:
                            here = k.at(into, k.mul(j, dx_step), offset)
                            k.call(
                                pieces.pixels(rows, group),
                                here, k.at(dy_here, k.mul(j, dy_pixel)), k.at(w_here, offset),
                                here, table, units, dx_step, dy_pixel, w_row, dx_step,
                            )  # fmt: skip

                        pieces.rows(k, count, group, piece)

                    pieces.columns(k, channels, columns)

                inside = k.b.and_(whole, k.within(source, k["oh"]))
                k.when(inside, lambda: k.repeat(k["kw"], tap))

            k.repeat(k["kh"], tap_line)

        k.repeat(k["height"], line)

    first, last = k.rows(k.n)
    k.repeat(last, image, start=first)
    k.end()


@written
def convolve_weights(module: Any, symbol: str, dtype: str) -> None:
    """dw[a, b, c, o] = Σ x[i s + a, j s + b, c] dy[i, j, o] over the pixels of a group of rows.

    There are `groups`: blocks of `rows` rows or, with `rows` 0, every `groups`-th row. A task is
    one group and one `strip` of so many (a, b, c). Groups write to sums of their own, `dw_task`
    numbers apart. `channels` and `units` are as for `convolve`.
    """
    k, pieces = Kernel(module, symbol, dtype), Pieces(module, dtype)
    zeros, table = k.pieces()
    k.clear(zeros, pieces.widest * k.size)
    steps = _table_of_taps(k, table)
    units, dw_row = k["units"], k.bytes("units")
    x_line, x_pixel = k.mul(k["sh"], k.bytes("x_line")), k.mul(k["sw"], k.bytes("x_pixel"))
    dy_line, dy_pixel = k.bytes("dy_line"), k.bytes("dy_pixel")
    groups, strip = k["groups"], k["strip"]
    number = k.div(k.task, groups)
    group = k.sub(k.task, k.mul(number, groups))
    begin = k.mul(number, strip)
    count = k.least(k.sub(steps, begin), strip)
    dw = k.at(k.pointer("dw"), k.mul(group, k.bytes("dw_task")))
    in_turn = k.compare("==", k["rows"], 0)
    first = k.select(in_turn, group, k.mul(group, k["rows"]))
    last = k.select(in_turn, k.n, k.least(k.add(first, k["rows"]), k.n))

    def image(row: Value) -> None:
        x = k.at(k.pointer("x"), k.mul(row, k.bytes("x_row")))
        dy = k.at(k.pointer("dy"), k.mul(row, k.bytes("dy_row")))
        new = k.compare("==", row, first)
        init_row = k.select(new, 0, dw_row)

        def columns(group: Group, column: Value) -> None:
            offset = k.mul(column, k.size)
            dy_here = k.at(dy, offset)

            def piece(rows: int, t: Value) -> None:
                t = k.add(begin, t)
                here = k.at(dw, k.mul(t, dw_row), offset)
                k.call(
                    pieces.taps(rows, group),
                    k.b.select(new, zeros, here), x, dy_here, here, k.at(table, k.mul(t, 8)),
                    k["oh"], k["ow"], init_row, x_line, x_pixel, dy_line, dy_pixel, dw_row,
                )  # fmt: skip

            pieces.rows(k, count, group, piece)

        pieces.columns(k, units, columns)

    k.repeat(last, image, start=first, step=k.select(in_turn, groups, 1))
    k.end()


@written
def turn_weights(module: Any, symbol: str, dtype: str) -> None:
    """turned[a, b, o, c] = w[a, b, c, o], with zeros for padding channels.

    A task turns `rows` taps.
    """
    k = Kernel(module, symbol, dtype)
    units, w_row, turned_row = k["units"], k.bytes("units_stored"), k.bytes("channels_stored")

    def tap(n: Value) -> None:
        source = k.at(k.pointer("w"), k.mul(n, k.mul(k["channels"], w_row)))
        target = k.at(k.pointer("turned"), k.mul(n, k.mul(units, turned_row)))

        def block(c: Value) -> None:
            into = k.at(target, k.mul(c, k.size))

            def unit(o: Value) -> None:
                start = k.at(source, k.mul(o, k.size))
                row = gathered(k, start, w_row, c, k["channels"])
                k.store(row, k.at(into, k.mul(o, turned_row)))

            k.repeat(units, unit)

        k.repeat(k["channels_stored"], block, step=LEAST)

    first, last = k.rows(k["taps"])
    k.repeat(last, tap, start=first)
    k.end()


def gathered(k: Kernel, column: Value, pitch: Value, first: Value, count: Value) -> Value:
    """The vector of numbers first, first + 1, … of a column; zeros from number `count` on."""
    row, last = k.zeros(LEAST), k.sub(count, 1)
    for lane in range(LEAST):
        index = k.add(first, lane)
        number = k.load(k.real, k.at(column, k.mul(k.least(index, last), pitch)))
        number = k.b.select(k.compare("<=", index, last), number, ir.Constant(k.real, 0.0))
        row = k.b.insert_element(row, number, ir.Constant(ir.IntType(32), lane))
    return row


def identity(k: Kernel, table: Value, length: Value) -> None:
    """Write the table of adjacent numbers."""
    k.repeat(length, lambda c: k.store(k.mul(c, k.size), k.at(table, k.mul(c, 8))))


def _table_of_taps(k: Kernel, table: Value) -> Value:
    """Write the distances of all taps from the first, in bytes; returns their number."""

    def line(a: Value, place: Value) -> list[Value]:
        def tap(b: Value, place: Value) -> list[Value]:
            start = k.add(k.mul(a, k.bytes("x_line")), k.mul(b, k.bytes("x_pixel")))

            def channel(c: Value, place: Value) -> list[Value]:
                k.store(k.add(start, k.mul(c, k.size)), place)
                return [k.at(place, 8)]

            return k.repeat(k["channels"], channel, [place])

        return k.repeat(k["kw"], tap, [place])

    k.repeat(k["kh"], line, [table])
    return k.mul(k.mul(k["kh"], k["kw"]), k["channels"])
