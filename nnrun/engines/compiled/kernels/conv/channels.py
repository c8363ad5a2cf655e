"""Channels in vectors of eight, and loops over the pixels of images, for kernels that are written.

Images are padded to whole vectors, with zeros. What is of channels alone stays in registers while
the pixels go by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nnrun.engines.compiled.kernels.writer import Kernel, Value

LANES = 8  # numbers, which rows and their gradients are padded to

Names = Sequence[str]
Values = Sequence[Value]
Body = Callable[..., Values | None]


class Channels:
    """Some channels of a kernel's arrays.

    Args:
        k: the kernel.
        count: of vectors.
        first: channel.
    """

    def __init__(self, k: Kernel, count: int, first: Value) -> None:
        self.k = k
        self.count = count
        self._places = [k.mul(k.add(first, n * LANES), k.size) for n in range(count)]

    def load(self, address: Value) -> list[Value]:
        """Their vectors, from the address of channel 0."""
        vector = self.k.vector(LANES)
        return [self.k.load(vector, self.k.at(address, place)) for place in self._places]

    def store(self, vectors: Sequence[Value], address: Value) -> None:
        """And back."""
        for vector, place in zip(vectors, self._places, strict=True):
            self.k.store(vector, self.k.at(address, place))

    def zeros(self, arrays: int = 1) -> list[Value]:
        """Zeros for so many arrays."""
        return [self.k.zeros(LANES)] * (arrays * self.count)


def each(k: Kernel, counts: Sequence[int], body: Callable[[Channels], None]) -> None:
    """Write the body for all channels, so many vectors at a time, the larger counts first."""
    begin = k.integer(0)
    for count in counts:
        step = count * LANES
        padded = k.b.and_(k.add(k["channels"], LANES - 1), k.integer(-LANES))
        end = k.add(begin, k.mul(k.div(k.sub(padded, begin), step), step))
        k.repeat(
            end, lambda c, count=count: body(Channels(k, count, c)), start=begin, step=step
        )  # fmt: skip
        begin = end


def rows(k: Kernel, names: Names, body: Body, values: Values = ()) -> list[Value]:
    """`values` after body(images, *values) for the task's rows of these arrays."""
    first, last = k.rows(k.n)

    def row(r: Value, *carried: Value) -> Values | None:
        images = [k.at(k.pointer(name), k.mul(r, k.bytes(f"{name}_row"))) for name in names]
        return body(images, *carried)

    return k.repeat(last, row, values, start=first)


def lines(k: Kernel, names: Names, images: Values, body: Body, values: Values = ()) -> list[Value]:
    """`values` after body(lines, *values) for each line of images of these arrays."""
    return _along(k, "height", "line", names, images, body, values)


def line_pixels(
    k: Kernel, names: Names, starts: Values, body: Body, values: Values = ()
) -> list[Value]:
    """`values` after body(places, *values) for each pixel of lines of these arrays."""
    return _along(k, "width", "pixel", names, starts, body, values)


def pixels(k: Kernel, names: Names, images: Values, body: Body, values: Values = ()) -> list[Value]:
    """`values` after body(places, *values) for each pixel of images of these arrays."""

    def line(starts: Values, *carried: Value) -> list[Value]:
        return line_pixels(k, names, starts, body, carried)

    return lines(k, names, images, line, values)


def _along(
    k: Kernel, count: str, unit: str, names: Names, places: Values, body: Body, values: Values
) -> list[Value]:
    def step(index: Value, *carried: Value) -> Values | None:
        moved = [
            k.at(place, k.mul(index, k.bytes(f"{name}_{unit}")))
            for place, name in zip(places, names, strict=True)
        ]
        return body(moved, *carried)

    return k.repeat(k[count], step, values)
