"""The sums over rows that are the gradients of biases.

db[i, j, c] is `db_line` and `db_pixel` numbers from line to line and from pixel to pixel: both 0
for a bias per channel.
"""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.kernels.writer import Kernel, Value, written

LEVEL = 0  # of LLVM's passes: none
_LANES = 8  # numbers, which rows and their gradients are padded to


@written
def sum_rows(module: Any, symbol: str, dtype: str) -> None:
    """db = Σ dy over the task's rows, into the task's buffer.

    Each number is one sum, over the pixels in their order; channels are taken in whole vectors.
    """
    k = Kernel(module, symbol, dtype)
    db = k.at(k.pointer("db"), k.mul(k.task, k.bytes("db_task")))
    is_shared = k.b.and_(k.compare("==", k["db_line"], 0), k.compare("==", k["db_pixel"], 0))
    with k.b.if_else(is_shared) as (by_channel, by_position):
        with by_channel:
            _sum_pixels(k, db)
        with by_position:
            _sum_images(k, db)
    k.end()


def _sum_pixels(k: Kernel, db: Value) -> None:
    first, last = k.rows(k.n)

    def channels(count: int, c: Value) -> None:
        places = [k.mul(k.add(c, n * _LANES), k.size) for n in range(count)]

        def add(here: Value, sums: tuple[Value, ...]) -> list[Value]:
            values = [k.load(k.vector(_LANES), k.at(here, place)) for place in places]
            return [k.b.fadd(total, value) for total, value in zip(sums, values, strict=True)]

        def row(r: Value, *sums: Value) -> list[Value]:
            image = k.at(k.pointer("dy"), k.mul(r, k.bytes("dy_row")))

            def line(i: Value, *sums: Value) -> list[Value]:
                start = k.at(image, k.mul(i, k.bytes("dy_line")))

                def pixel(j: Value, *sums: Value) -> list[Value]:
                    return add(k.at(start, k.mul(j, k.bytes("dy_pixel"))), sums)

                return k.repeat(k["width"], pixel, sums)

            return k.repeat(k["height"], line, sums)

        done = k.repeat(last, row, [k.zeros(_LANES)] * count, start=first)
        for total, place in zip(done, places, strict=True):
            k.store(total, k.at(db, place))

    begin = k.integer(0)
    for count in (4, 2, 1):  # vectors at a time
        step = count * _LANES
        padded = k.b.and_(k.add(k["channels"], _LANES - 1), k.integer(-_LANES))
        end = k.add(begin, k.mul(k.div(k.sub(padded, begin), step), step))
        k.repeat(end, lambda c, count=count: channels(count, c), start=begin, step=step)
        begin = end


def _sum_images(k: Kernel, db: Value) -> None:
    first, last = k.rows(k.n)
    length = k.bytes("channels")

    def row(r: Value) -> None:
        image = k.at(k.pointer("dy"), k.mul(r, k.bytes("dy_row")))
        is_first = k.compare("==", r, first)

        def line(i: Value) -> None:
            def pixel(j: Value) -> None:
                source = k.at(image, k.mul(i, k.bytes("dy_line")), k.mul(j, k.bytes("dy_pixel")))
                target = k.at(db, k.mul(i, k.bytes("db_line")), k.mul(j, k.bytes("db_pixel")))

                def numbers(at: Value) -> None:
                    before = k.load(k.vector(_LANES), k.at(target, at))
                    before = k.b.select(is_first, k.zeros(_LANES), before)
                    value = k.load(before.type, k.at(source, at))
                    k.store(k.b.fadd(before, value), k.at(target, at))

                k.repeat(length, numbers, step=_LANES * k.size)

            k.repeat(k["width"], pixel)

        k.repeat(k["height"], line)

    k.repeat(last, row, start=first)
