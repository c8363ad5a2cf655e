"""The program under construction: its text, and where everything lies in memory.

The generated function works on five blocks of memory, which the engine provides:

    theta       the parameters, each array starting at a cache line; last those updated `alone`
    gradient    their gradients, laid out alike
    state       the optimizer's arrays, laid out alike one after the other; then the statistics
    values      everything in between: activations, gradients of activations
    uniforms    the random numbers of the dropout layers
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import prod

import numpy as np

from nnrun.engines.compiled.allocation import CACHE_LINE
from nnrun.engines.compiled.generated.row import Image, Row
from nnrun.engines.compiled.generated.text import Text, words
from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.signature import Array, Shape


@dataclass(frozen=True)
class ArraySlice:
    """An array within a block of memory."""

    name: str
    block: str
    offset: int
    shape: Shape
    step: str = ""

    def view(self) -> str:
        """The line that declares it; `step` is what a row adds to the offset."""
        parts = [self.step] if self.step else []
        parts += [str(self.offset)] if self.offset or not parts else []
        offset = " + ".join(parts)
        sides = ", ".join(map(str, self.shape)) + ("," if len(self.shape) == 1 else "")
        return f"{self.name} = view({self.block}, {offset}, ({sides}))"


class Program(Text):
    """Text and memory of one training function.

    Args:
        dtype: float64 or float32.
        plain: the update is θ ← θ - η g and nothing more.
        single: every batch is a single row. If the update is plain too the program is `direct`:
            each layer changes its weights on the spot, and no gradient is stored. All of
            backpropagation being linear, the learning rate is multiplied in once, at the loss.
        whole: some layer looks at all rows of a batch together, so that what the layers compute
            is kept for all rows.
        tiled: larger matrix products are made for all rows at once.
    """

    def __init__(
        self, dtype: np.dtype[np.floating], *, plain: bool, single: bool, whole: bool, tiled: bool
    ) -> None:
        super().__init__(depth=1)
        self.dtype = dtype
        self.plain = plain
        self.direct = plain and single and not whole
        self.whole = whole
        self.tiled = tiled
        self.lanes = CACHE_LINE // dtype.itemsize
        self.places: list[ArraySlice] = []  # of parameters, statistics and of the batch as a whole
        self.row_places: list[ArraySlice] = []  # of each row
        self._positions: list[tuple[Parameter, Array, str]] = []
        self._placed: dict[int, ArraySlice] = {}  # by the parameter's id
        self.statistics: list[tuple[Layer, str, Array]] = []
        self.functions: set[str] = set()
        self.doubles: set[str] = set()
        self.tiles: set[tuple[int, int]] = set()
        self.inputs: list[ArraySlice] = []
        self.registers: list[tuple[str, str]] = []  # (variable, place) held for the whole run
        self.drawn = 0
        self._row_step = "shared + r * record" if whole else "shared"
        self._sizes = {"theta": 0, "alone": 0, "statistics": 0, "values": 0, "row": 0}
        self._names: set[str] = set()
        self._around: dict[str, list[slice]] = {"values": [], "row": []}  # what nothing writes

    def size(self, block: str) -> int:
        """Numbers in a block, a whole number of steps of the loops that run over all of it."""
        size = -(-self._sizes[block] // (4 * self.lanes)) * 4 * self.lanes
        # Rows an odd number of cache lines apart do not fall into the same sets of the cache.
        return size + self.lanes if block == "row" else size

    def padded(self, size: int) -> int:
        """The next whole number of vector registers."""
        return -(-size // self.lanes) * self.lanes

    def clear_around(self, values: Array) -> None:
        """Write zeros to what the function reads of the block `values` and never writes."""
        shared, record = self.size("values"), self.size("row")
        for part in self._around["values"]:
            values[part] = 0
        for part in self._around["row"]:
            values[shared:].reshape(-1, record)[:, part] = 0

    def call(self, function: str, *, double: bool = False) -> str:
        """Note that a function from `formulas` is used, and return what it is called.

        Args:
            function: its name there.
            double: the one for float64, whatever the network's dtype.
        """
        if double:
            self.doubles.add(function)
            return f"double_{function}"
        self.functions.add(function)
        return function

    def tile(self, rows: int, registers: int) -> str:
        """Note that tiles of this size are used."""
        self.tiles.add((rows, registers))
        return f"tile_{rows}x{registers}"

    def start_of(self, name: str) -> str:
        """Where an array starts in its block; if each row has one, that of the first row."""
        for place in [*self.places, *self.row_places]:
            if place.name == name:
                begin = place.step.partition(" ")[0]  # without the part for each row
                return f"{begin} + {place.offset}" if begin else str(place.offset)
        raise KeyError(name)

    def parameter(
        self, parameter: Parameter, name: str, shape: Shape, where: Array, *, alone: bool = False
    ) -> str:
        """Give a parameter its place.

        Args:
            parameter: the layer's.
            name: in the source; its gradient is called `d<name>`.
            shape: in memory, which may be larger than the parameter's own.
            where: for each of its numbers the position within `shape`, flattened.
            alone: the layer updates it; the optimizer never sees it, and it has no gradient.
        """
        block, step = ("alone", "alone") if alone else ("theta", "")
        offset = self._take(block, shape)
        self.places.append(ArraySlice(name, "theta", offset, shape, step))
        self._placed[id(parameter)] = self.places[-1]
        if not (self.direct or alone):
            self.places.append(ArraySlice(f"d{name}", "gradient", offset, shape))
        self._positions.append((parameter, np.asarray(where).ravel() + offset, block))
        return name

    @property
    def positions(self) -> dict[int, Array]:
        """By the parameter's id, where in theta each of its numbers stands."""
        starts = {"theta": 0, "alone": self.size("theta")}
        return {id(parameter): starts[block] + where for parameter, where, block in self._positions}

    def extent(self, parameter: Parameter) -> tuple[int, int]:
        """Where a parameter begins in theta, and what it takes there."""
        place = self._placed[id(parameter)]
        return place.offset, self.padded(prod(place.shape))

    def statistic(self, layer: Layer, key: str, tag: str, where: Array) -> str:
        """Give one of the layer's statistics its place, after the optimizer's arrays."""
        shape = layer.statistics[key].shape
        offset = self._take("statistics", shape)
        self.statistics.append((layer, key, where + offset))
        self.places.append(ArraySlice(f"{key}{tag}", "state", offset, shape, "statistics"))
        return f"{key}{tag}"

    def shared(self, name: str, shape: Shape, *, cleared: bool = False) -> str:
        """An array for the batch as a whole; `cleared` if not all is written, but zeros."""
        name = self._unique(name)
        offset = self._take("values", shape, 0 if cleared else None)
        self.places.append(ArraySlice(name, "values", offset, shape))
        return name

    def array(self, name: str, shape: Shape, written: int | None = None) -> str:
        """An array for each row, of which so many numbers are written; the others are zeros."""
        name = self._unique(name)
        place = ArraySlice(name, "values", self._take("row", shape, written), shape, self._row_step)
        self.row_places.append(place)
        return name

    def row(
        self,
        name: str,
        size: int,
        image: Image | None = None,
        scalar: bool = False,
        cleared: bool = False,
    ) -> Row:
        """What a layer hands on; `cleared` if not all of its numbers are written, but zeros."""
        if scalar:
            return Row(self._unique(name), size, size, image, scalar=True)
        stored = self.padded(size)
        name = self.array(name, (stored,), 0 if cleared else size)
        if image is not None:
            channels, height, width = image
            offset = self.row_places[-1].offset
            shape = (height, width, channels)
            place = ArraySlice(f"{name}_hwc", "values", offset, shape, self._row_step)
            self.row_places.append(place)
        return Row(name, size, stored, image)

    def input(self, name: str, block: str, size: int, stride: int, image: Image | None) -> Row:
        """The row that comes from outside, of which each takes `stride` places in its block."""
        step = f"row * {stride}"
        self.inputs.append(ArraySlice(name, block, 0, (stride,), step))
        if image is not None:
            channels, height, width = image
            self.inputs.append(ArraySlice(f"{name}_hwc", block, 0, (height, width, channels), step))
        self._names.add(name)
        return Row(name, size, stride, image)

    def like(self, name: str, row: Row, *, cleared: bool = False) -> Row:
        """A row of the same form."""
        return self.row(name, row.size, row.image, row.scalar, cleared)

    def each(self, row: Row, *, extra: bool = True) -> Iterator[int | str]:
        """Indices for statements on each number of a row: a loop, or one after the other.

        Args:
            row: whose numbers.
            extra: run over the extra places too, which is faster than not to.
        """
        if row.scalar:
            yield from range(row.size)
        else:
            with self.loop("j", row.stored if extra else row.size):
                yield "j"

    @contextmanager
    def pixels(self, row: Row) -> Iterator[None]:
        """For statements on each number [i, j, c] of an image."""
        channels, height, width = row.image or (row.size, 1, 1)
        with self.nest(i=height, j=width, c=channels):
            yield

    @contextmanager
    def rows(self) -> Iterator[None]:
        """For statements on each row of the batch; declares the arrays that they use."""
        with nullcontext() if self.direct else self.loop("r", "n"):
            start = len(self.lines)
            yield
            used = words(self.lines[start:])
            if not used:
                del self.lines[start if self.direct else start - 1 :]
                return
            row = "rows[k]" if self.direct else "rows[start + r]"
            head = [f"row = {row}"] if used & {"x", "x_hwc", "t", "out"} else []
            places = [*self.inputs, *(self.row_places if self.whole else [])]
            head += [place.view() for place in places if place.name in used]
            self.lines[start:start] = ["    " * self.depth + line for line in head]

    @contextmanager
    def training(self) -> Iterator[None]:
        """For statements that evaluation leaves out."""
        start = len(self.lines)
        with self.block("if not evaluating:"):
            yield
        if not words(self.lines[start + 1 :]):
            del self.lines[start:]

    def scale(self, factor: str) -> None:
        """The variable `scale`, which the loss's gradient is multiplied by."""
        self.line(f"scale = rate * real({factor})" if self.direct else f"scale = real({factor})")

    def descend(self, weight: str, gradient: str) -> None:
        """One number's step down its gradient, or the gradient added to the batch's."""
        if self.direct:
            self.line(f"{weight} -= {gradient}")
        else:
            self.line(f"d{weight} += {gradient}")

    def _take(self, block: str, shape: Shape, written: int | None = None) -> int:
        offset, size = self._sizes[block], prod(shape)
        self._sizes[block] += self.padded(size)
        if block in self._around:
            begin = offset + (size if written is None else written)
            self._around[block].append(slice(begin, self._sizes[block]))
        return offset

    def _unique(self, name: str) -> str:
        base, number = name, 2
        while name in self._names:
            name, number = f"{base}_{'again' * (number - 1)}", number + 1
        self._names.add(name)
        return name
