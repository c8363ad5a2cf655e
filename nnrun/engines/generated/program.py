"""The program under construction: its text and the layout of its memory.

The generated function works on five blocks of memory, which the engine provides:

    theta       the parameters, each array starting at a cache line
    gradient    their gradients, laid out alike
    state       the optimizer's arrays, laid out alike one after the other
    values      everything in between, for one row: activations, gradients of activations
    uniforms    the random numbers of the dropout layers
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from math import prod
from textwrap import wrap

import numpy as np

from nnrun.engines.allocation import CACHE_LINE
from nnrun.nn.layer import Parameter
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Shape

# Putting source text together.


def tree(terms: Sequence[str]) -> str:
    """The sum as a balanced tree, ((a + b) + (c + d)), so that additions run side by side.

    Floating-point addition may not be reordered: written as a row, each one would wait for the
    one before.
    """
    if len(terms) == 1:
        return terms[0]
    middle = (len(terms) + 1) // 2
    left, right = tree(terms[:middle]), tree(terms[middle:])
    return f"({left} + {right})"


def affine(index: str, stride: int, offset: int | str) -> str:
    """The source of index · stride + offset, without · 1 and + 0."""
    if stride != 1:
        index = f"({index}) * {stride}" if " " in index else f"{index} * {stride}"
    return index if offset == 0 else f"{index} + {offset}"


def words(lines: Sequence[str]) -> set[str]:
    """All names in lines of source, without comments."""
    code = [line for line in lines if not line.lstrip().startswith("#")]
    return set(re.findall(r"\w+", "\n".join(code)))


def title_lines(network: Network, optimizer: Optimizer) -> list[str]:
    """A description of the network, in lines of 90 characters at most."""
    steps = [str(tuple(network.input_shape)), *(layer.type for layer in network.active_layers)]
    text = f"Trains {' > '.join(steps)}, {network.loss.type}; {optimizer.type}."
    return wrap(text, 90, break_long_words=False)


class Text:
    """Lines of source, indented by their loops."""

    def __init__(self, depth: int = 0) -> None:
        self.lines: list[str] = []
        self.depth = depth

    def line(self, text: str) -> None:
        """Add a line."""
        self.lines.append("    " * self.depth + text)

    def comment(self, text: str) -> None:
        """Add a comment."""
        self.line(f"# {text}")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A block: lines added inside are indented under this line."""
        self.line(head)
        self.depth += 1
        yield
        self.depth -= 1

    def loop(self, index: str, *bounds: int | str) -> AbstractContextManager[None]:
        """A loop over range(*bounds)."""
        return self.block(f"for {index} in range({', '.join(map(str, bounds))}):")

    @contextmanager
    def nest(self, **loops: int | str) -> Iterator[None]:
        """Loops within loops, the last one innermost."""
        with ExitStack() as stack:
            for index, count in loops.items():
                stack.enter_context(self.loop(index, count))
            yield


Image = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Row:
    """The numbers of one row, in an array or, where they are few, each in a variable.

    Arrays are a little longer than `size`, up to a whole number of vector registers: loops then
    need no remainder. In the extra places stand zeros.

    Args:
        name: the array, or what the variables' names start with.
        size: how many numbers.
        stored: how many places the array has.
        image: if they are those of an image (even one that has been flattened) its shape. Images
            lie in memory with the channels last, (height, width, channels); the array seen in
            that shape is called `<name>_hwc`.
        scalar: each number is a variable of its own, `<name>_0` and so on.
    """

    name: str
    size: int
    stored: int
    image: Image | None = None
    scalar: bool = False

    def at(self, index: int | str) -> str:
        """How the source writes one of the numbers."""
        return f"{self.name}_{index}" if self.scalar else f"{self.name}[{index}]"

    @property
    def order(self) -> Array:
        """Place of each number, counted as `nnrun.nn` does."""
        places = np.arange(self.size)
        if self.image is None:
            return places
        channels, height, width = self.image
        return places.reshape(height, width, channels).transpose(2, 0, 1).ravel()


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
        plain: the update is θ ← θ - η g and nothing more.
        single: every batch is a single row. If the update is plain too the program is `direct`:
            each layer changes its weights on the spot, and no gradient is stored. All of
            backpropagation being linear, the learning rate is multiplied in once, at the loss.
    """

    def __init__(self, dtype: np.dtype[np.floating], *, plain: bool, single: bool) -> None:
        super().__init__(depth=1)
        self.dtype = dtype
        self.direct = plain and single
        self.lanes = CACHE_LINE // dtype.itemsize
        self.places: list[ArraySlice] = []
        # By the parameter's id, where in theta each of its numbers stands.
        self.positions: dict[int, Array] = {}
        self._placed: dict[int, ArraySlice] = {}  # by the parameter's id
        self.functions: set[str] = set()
        self.doubles: set[str] = set()
        self.inputs: list[ArraySlice] = []
        self.registers: list[tuple[str, str]] = []  # (variable, place) held for the whole run
        self.drawn = 0
        self._sizes = {"theta": 0, "values": 0}
        self._names: set[str] = set()
        self._around: list[slice] = []  # what nothing writes

    def size(self, block: str) -> int:
        """Numbers in a block, a whole number of steps of the loops that run over all of it."""
        return -(-self._sizes[block] // (4 * self.lanes)) * 4 * self.lanes

    def padded(self, size: int) -> int:
        """The next whole number of vector registers."""
        return -(-size // self.lanes) * self.lanes

    def clear_around(self, values: Array) -> None:
        """Write zeros to the parts of `values` that the function reads but never writes."""
        for part in self._around:
            values[part] = 0

    def call(self, function: str, *, double: bool = False) -> str:
        """Note that a function of `formulas` is used, and return its name in the source.

        With `double` it is the one for float64, regardless of the network's dtype.
        """
        if double:
            self.doubles.add(function)
            return f"double_{function}"
        self.functions.add(function)
        return function

    def parameter(self, parameter: Parameter, name: str, shape: Shape, where: Array) -> str:
        """Allocate a parameter.

        Args:
            parameter: the layer's.
            name: in the source; its gradient is called `d<name>`.
            shape: in memory, which may be larger than the parameter's own.
            where: the position of each of its numbers within `shape`, flattened.
        """
        offset = self._take("theta", shape)
        self.places.append(ArraySlice(name, "theta", offset, shape))
        self._placed[id(parameter)] = self.places[-1]
        if not self.direct:
            self.places.append(ArraySlice(f"d{name}", "gradient", offset, shape))
        self.positions[id(parameter)] = np.asarray(where).ravel() + offset
        return name

    def extent(self, parameter: Parameter) -> tuple[int, int]:
        """A parameter's offset and size in theta."""
        place = self._placed[id(parameter)]
        return place.offset, self.padded(prod(place.shape))

    def array(self, name: str, shape: Shape, written: int | None = None) -> str:
        """A new array; only the first `written` numbers are written, the others are zeros."""
        name = self._unique(name)
        self.places.append(ArraySlice(name, "values", self._take("values", shape, written), shape))
        return name

    def row(
        self,
        name: str,
        size: int,
        image: Image | None = None,
        scalar: bool = False,
        cleared: bool = False,
    ) -> Row:
        """A layer's output; `cleared` if numbers that are not written must be zeros."""
        if scalar:
            return Row(self._unique(name), size, size, image, scalar=True)
        stored = self.padded(size)
        name = self.array(name, (stored,), 0 if cleared else size)
        if image is not None:
            channels, height, width = image
            offset = self.places[-1].offset
            shape = (height, width, channels)
            self.places.append(ArraySlice(f"{name}_hwc", "values", offset, shape))
        return Row(name, size, stored, image)

    def input(self, name: str, block: str, size: int, stride: int, image: Image | None) -> Row:
        """A row of an array from outside, whose rows are `stride` numbers apart."""
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

        With `extra` the loop runs over the padding too, which is faster.
        """
        if row.scalar:
            yield from range(row.size)
        else:
            with self.loop("j", row.stored if extra else row.size):
                yield "j"

    @contextmanager
    def pixels(self, row: Row) -> Iterator[None]:
        """Open a loop over each number [i, j, c] of an image."""
        channels, height, width = row.image or (row.size, 1, 1)
        with self.nest(i=height, j=width, c=channels):
            yield

    @contextmanager
    def rows(self) -> Iterator[None]:
        """Open a loop over the rows of the batch; declares the arrays that its statements use."""
        with nullcontext() if self.direct else self.loop("r", "n"):
            start = len(self.lines)
            yield
            used = words(self.lines[start:])
            if not used:
                del self.lines[start if self.direct else start - 1 :]
                return
            row = "rows[k]" if self.direct else "rows[start + r]"
            head = [f"row = {row}"] if used & {"x", "x_hwc", "t", "out"} else []
            head += [place.view() for place in self.inputs if place.name in used]
            self.lines[start:start] = ["    " * self.depth + line for line in head]

    @contextmanager
    def training(self) -> Iterator[None]:
        """Open a branch that runs in training only."""
        start = len(self.lines)
        with self.block("if not evaluating:"):
            yield
        if not words(self.lines[start + 1 :]):
            del self.lines[start:]

    def scale(self, factor: str) -> None:
        """Write `scale`, the factor of the loss' gradient."""
        self.line(f"scale = rate * real({factor})" if self.direct else f"scale = real({factor})")

    def descend(self, weight: str, gradient: str) -> None:
        """Update a weight, or add its gradient to the batch's."""
        if self.direct:
            self.line(f"{weight} -= {gradient}")
        else:
            self.line(f"d{weight} += {gradient}")

    def _take(self, block: str, shape: Shape, written: int | None = None) -> int:
        offset, size = self._sizes[block], prod(shape)
        self._sizes[block] += self.padded(size)
        if block == "values":
            begin = offset + (size if written is None else written)
            self._around.append(slice(begin, self._sizes[block]))
        return offset

    def _unique(self, name: str) -> str:
        base, number = name, 2
        while name in self._names:
            name, number = f"{base}_{'again' * (number - 1)}", number + 1
        self._names.add(name)
        return name
