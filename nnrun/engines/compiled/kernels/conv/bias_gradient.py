"""The sums over rows that are the gradients of biases.

db[i, j, c] is `db_line` and `db_pixel` numbers from line to line and from pixel to pixel: both 0
for a bias per channel.
"""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.kernels.conv.channels import LANES, Channels, each, pixels, rows
from nnrun.engines.compiled.kernels.writer import Kernel, Value, written

LEVEL = 0  # of LLVM's passes: none


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
    def sum_up(channels: Channels) -> None:
        def add(places: list[Value], *sums: Value) -> list[Value]:
            values = channels.load(places[0])
            return [k.b.fadd(total, value) for total, value in zip(sums, values, strict=True)]

        def row(images: list[Value], *sums: Value) -> list[Value]:
            return pixels(k, ["dy"], images, add, sums)

        channels.store(rows(k, ["dy"], row, channels.zeros()), db)

    each(k, (4, 2, 1), sum_up)


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
                    before = k.load(k.vector(LANES), k.at(target, at))
                    before = k.b.select(is_first, k.zeros(LANES), before)
                    value = k.load(before.type, k.at(source, at))
                    k.store(k.b.fadd(before, value), k.at(target, at))

                k.repeat(length, numbers, step=LANES * k.size)

            k.repeat(k["width"], pixel)

        k.repeat(k["height"], line)

    k.repeat(last, row, start=first)
