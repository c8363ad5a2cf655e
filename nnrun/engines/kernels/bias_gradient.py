"""The sums over rows that are the gradients of biases.

Lines of db are `db_line` numbers apart, and pixels `db_pixel`: both 0 for a bias per channel.
"""

from __future__ import annotations

from nnrun.compiler.code import read, spread, write
from nnrun.engines.kernels.primitives import pointer, row_range
from nnrun.engines.kernels.sizes import LEAST, vectors

LEVEL = 1


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
