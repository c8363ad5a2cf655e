"""The plan of a tape: its arrays and the stages of its ops, to which layers add theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from nnrun.engines.kernels import KERNELS, scratch, sizes
from nnrun.engines.kernels.sizes import padded
from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.signature import Array

# Arrays by name, before there is memory for them.

Border = tuple[int, int, int, int]  # pixels of zeros above, below, left and right
NO_BORDER: Border = (0, 0, 0, 0)


@dataclass(frozen=True)
class Address:
    """A place in an array: this many numbers after its beginning.

    Arrays whose names begin with @ belong to the caller, and may differ from call to call.
    """

    block: str
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.block}+{self.offset}" if self.offset else self.block


@dataclass(frozen=True)
class Map:
    """One image, or one vector, for each row of a batch.

    A vector has one pixel. A map's channels lie together; padding channels
    hold zeros.

    Args:
        block: the array that it is in.
        offset: of the first channel of the upper left pixel within the border.
        row, line, pixel: how many numbers further the next one is.
        channels, height, width: of the image.
        border: of zeros, around each image.
    """

    block: str
    offset: int
    row: int
    line: int
    pixel: int
    channels: int
    height: int = 1
    width: int = 1
    border: Border = NO_BORDER

    @property
    def is_vector(self) -> bool:
        """Whether there is only one pixel."""
        return self.height == self.width == 1

    @property
    def size(self) -> int:
        """Numbers of the image, without padding."""
        return self.channels * self.height * self.width

    @property
    def stored(self) -> int:
        """Numbers of a row, without its border; of a single pixel those that are used."""
        return self.channels if self.is_vector else self.height * self.width * self.pixel

    @property
    def is_whole(self) -> bool:
        """Whether a row's lines follow one another without a border."""
        return self.is_vector or self.line == self.width * self.pixel

    @property
    def lying(self) -> Map:
        """Each row in memory order, without a border, as a vector."""
        assert self.is_whole
        return Map(self.block, self.offset, self.row, self.row, self.row, self.stored)

    @property
    def order(self) -> Array:
        """The position of each number, in the order of `nnrun.nn`, in a row without a border."""
        c, i, j = np.ogrid[: self.channels, : self.height, : self.width]
        return np.asarray((i * self.width + j) * self.pixel + c).ravel()

    def clear_around(self, memory: Array) -> None:
        """Write zeros to borders and padding in an array of such maps."""
        top, bottom, left, right = self.border
        lines, columns = top + self.height + bottom, left + self.width + right
        rows = memory.reshape(-1, self.row)
        rows[:, lines * self.line :] = 0
        pixels = rows[:, : lines * self.line].reshape(len(rows), lines, columns, self.pixel)
        pixels[:, :top] = 0
        pixels[:, top + self.height :] = 0
        pixels[:, :, :left] = 0
        pixels[:, :, left + self.width :] = 0
        pixels[..., self.channels :] = 0

    def named(self, name: str, *, down: int = 0, right: int = 0) -> dict[str, Address | int]:
        """The parameters of an op for this map, optionally from another pixel on."""
        start = self.offset + down * self.line + right * self.pixel
        return {**self.rows(name, start), f"{name}_line": self.line, f"{name}_pixel": self.pixel}

    def rows(self, name: str, start: int | None = None) -> dict[str, Address | int]:
        """The parameters for kernels that take rows."""
        offset = self.offset if start is None else start
        return {name: Address(self.block, offset), f"{name}_row": self.row}

    def lines(self, name: str) -> dict[str, Address | int]:
        """The parameters for kernels that take the numbers of a line in memory order."""
        return {**self.rows(name), f"{name}_line": self.line}

    @property
    def shape(self) -> dict[str, int]:
        """The parameters that say how large it is."""
        return {"channels": self.channels, "height": self.height, "width": self.width}

    @property
    def runs(self) -> dict[str, int]:
        """Lines and the numbers of each; a single one where they follow one another."""
        if self.is_whole:
            return {"lines": 1, "numbers": self.stored}
        return {"lines": self.height, "numbers": self.width * self.pixel}


def laid(block: str, pixel: int, sides: tuple[int, int, int], border: Border, itemsize: int) -> Map:
    """Images in an array of their own, with this many numbers from one pixel to the next."""
    channels, height, width = sides
    top, bottom, left, right = border
    line = (width + left + right) * pixel
    row = pitch((height + top + bottom) * line, itemsize)
    offset = top * line + left * pixel
    return Map(block, offset, row, line, pixel, channels, height, width, border)


def pitch(size: int, itemsize: int) -> int:
    """Numbers from one row to the next: whole cache lines, and no large power of two of bytes."""
    found = padded(size)
    return found + padded(1) if found * itemsize % 1024 == 0 else found


# Ops, and the stages that they are run in.

Value = int | float | Address
EVERY_TASK = 1 << 62
# Chunks of a parameter's array.
CHUNKS = 16


@dataclass(frozen=True)
class Op:
    """The call of a kernel.

    Args:
        label: the part of the network it belongs to.
        limit: tasks from this one on do nothing.
    """

    kernel: str
    values: dict[str, Value]
    label: str
    limit: int = EVERY_TASK


@dataclass
class Stage:
    """Ops that are run one after the other for each task; tasks are in no order.

    Args:
        rows: of the batch in a task; 0 if tasks are not made of rows.
        tasks: the number of tasks in that case.
        ops: of each task.
    """

    rows: int = 0
    tasks: int = 0
    ops: list[Op] = field(default_factory=list)


def chunks(size: int) -> dict[str, int]:
    """The parameters of kernels that change an array chunk by chunk."""
    return {"size": size, "chunk": padded(-(-size // CHUNKS))}


# The most tasks of a batch; more than the cores of most machines.
TASKS = 16


class Positions:
    """The positions of a parameter's numbers in an array, by index."""

    def __init__(self, positions: Array) -> None:
        self._positions = positions.ravel()

    def copy_in(self, numbers: Array, memory: Array) -> None:
        memory[self._positions] = numbers

    def copy_out(self, memory: Array, numbers: Array) -> None:
        numbers[...] = memory[self._positions]


Places = Positions | sizes.Strips


@dataclass(frozen=True)
class Placed:
    """Places of a parameter and its gradient.

    Args:
        parts: the number of gradients that are summed for its gradient; 0 if it is computed whole.
        waits: whether it changes in the update at the end; else, in the op that computes its
            gradient.
    """

    parameter: Parameter
    block: str
    size: int
    places: Places
    parts: int
    waits: bool

    @property
    def gradient(self) -> str:
        """The array of its gradient, or of the parts one after the other."""
        return f"d{self.block}"

    def clear_around(self, gradient: Array) -> None:
        """Write zeros to the padding of the gradient, or of its parts."""
        around = np.ones(self.size, bool)
        self.places.copy_in(np.zeros(self.parameter.size, bool), around)
        gradient.reshape(-1, self.size)[:, around] = 0


@dataclass(frozen=True)
class Statistic:
    """The place of a layer's buffer, such as a running mean."""

    layer: Layer
    name: str
    block: str
    places: Places


@dataclass
class ExecutionPlan:
    """Arrays and stages, while emitters add to them.

    Args:
        descends: the update is only θ ← θ - η g, made by the op that computes g.
    """

    dtype: np.dtype[np.floating]
    batch_size: int
    descends: bool
    training: bool
    blocks: dict[str, int] = field(default_factory=dict)  # numbers in each array
    maps: list[Map] = field(default_factory=list)  # arrays with a row for each row of a batch
    cleared: set[str] = field(default_factory=set)  # arrays that begin with zeros
    placed: list[Placed] = field(default_factory=list)
    statistics: list[Statistic] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)  # gradients that must not be overwritten yet
    awaited: set[str] = field(default_factory=set)  # arrays that are read at the end of the tape
    first: Stage = field(default_factory=Stage)  # what is done before anything else
    stages: list[Stage] = field(default_factory=list)
    last: Stage = field(default_factory=Stage)  # what is done before the update
    drawn: int = 0  # random numbers for each row; known when all layers are added
    label: str = ""

    @property
    def rows(self) -> int:
        """Rows of a task."""
        return -(-self.batch_size // TASKS)

    @property
    def row_tasks(self) -> int:
        """Tasks of the largest batch."""
        return -(-self.batch_size // self.rows)

    @property
    def lasting(self) -> dict[str, int]:
        """The arrays of parameters and statistics, and their sizes."""
        named = [one.block for one in self.placed] + [one.block for one in self.statistics]
        return {name: self.blocks[name] for name in named}

    @property
    def scratch(self) -> int:
        """Bytes of scratch memory that each thread needs."""
        return max(self.scratch_of(op) for stage in self.all_stages for op in stage.ops)

    def scratch_of(self, op: Op) -> int:
        """Bytes of scratch memory that an op's kernel needs."""
        known = {**op.values, "n": self.batch_size, "itemsize": self.dtype.itemsize}
        return scratch.total(KERNELS[op.kernel].pieces(known))

    @property
    def all_stages(self) -> list[Stage]:
        """The stages that have ops, in the order of execution."""
        return [stage for stage in (self.first, *self.stages) if stage.ops]

    def vector(self, name: str, size: int) -> Map:
        """A new array with a vector for each row."""
        return self._new(name, pitch(size, self.dtype.itemsize), (size, 1, 1))

    def image(
        self, name: str, shape: tuple[int, int, int], border: Border = NO_BORDER, *,
        exact: bool = False,
    ) -> Map:  # fmt: skip
        """A new array with an image for each row; `exact` without padding channels."""
        pixel = shape[0] if exact else sizes.vectors(shape[0])
        return self._new(name, pixel, shape, border)

    def array(self, name: str, shape: tuple[int, ...], border: Border = NO_BORDER) -> Map:
        """A vector or an image, by the shape of a layer's output."""
        if len(shape) == 3:
            channels, height, width = shape
            return self.image(name, (channels, height, width), border)
        return self.vector(name, shape[0])

    def like(self, name: str, x: Map, border: Border = NO_BORDER) -> Map:
        """A new array with the shape of x and as many stored channels."""
        return self._new(name, x.pixel, (x.channels, x.height, x.width), border)

    def flattened(self, x: Map) -> Map:
        """x as vectors, in the order of `nnrun.nn`."""
        if x.is_vector:
            return x
        y = self.vector(f"{x.block}_flat", x.size)
        self.flatten(x, y)
        return y

    def flatten(self, x: Map, y: Map) -> None:
        """Add the op that makes vectors of images."""
        self.by_rows("flatten", **x.named("x"), **y.rows("y"), **x.shape, placed=0)

    def clear(self, y: Map) -> None:
        """Add the op that writes zeros to an image's padding channels.

        They become NaN if the image holds an infinite number.
        """
        if y.pixel != y.channels:
            self.by_rows("clear", **y.named("x"), **y.shape)

    def unflattened(self, dy: Map, x: Map) -> Map:
        """The gradient of x, from that of `flattened(x)`."""
        if x.is_vector:
            return dy
        dx = self.like(f"d{x.block}", x)
        self.by_rows("flatten_back", **dy.rows("dy"), **dx.named("dx"), **x.shape)
        return dx

    def shared(self, name: str, size: int, *, cleared: bool = False) -> Address:
        """A new array for the whole batch; `cleared` if it begins with zeros."""
        name = self._unique(name)
        if cleared:
            self.cleared.add(name)
        self.blocks[name] = size
        return Address(name)

    def parameter(
        self,
        parameter: Parameter,
        name: str,
        size: int,
        places: Places | Array,
        *,
        by_rows: bool,
        groups: int = 0,
    ) -> Placed:
        """Allocate a parameter and its gradient.

        With `by_rows`, its gradient is a sum of parts: one for each of `groups`, or for each task.
        """
        if isinstance(places, np.ndarray):
            places = Positions(places)
        size = sizes.padded(size)
        parts = groups or self.row_tasks if by_rows else 0
        waits = by_rows or not self.descends
        placed = Placed(parameter, name, size, places, parts, waits)
        self.placed.append(placed)
        self.blocks[name] = size
        if self.training and waits:
            self.blocks[placed.gradient] = size * max(parts, 1)
        return placed

    def statistic(self, layer: Layer, name: str, block: str, size: int, places: Array) -> Address:
        """Allocate a buffer of a layer."""
        self.statistics.append(Statistic(layer, name, block, Positions(places)))
        self.blocks[block] = size
        return Address(block)

    def by_rows(self, kernel: str, /, **values: Value) -> None:
        """An op on a block of rows."""
        stage = self.stages[-1] if self.stages else None
        if stage is None or not stage.rows:
            stage = Stage(rows=self.rows)
            self.stages.append(stage)
        stage.ops.append(self.op(kernel, **{**values, "rows": self.rows}))

    def by_tasks(self, tasks: int, *ops: Op) -> None:
        """A stage of ops with this many tasks."""
        self.stages.append(Stage(tasks=tasks, ops=list(ops)))

    def before(self, kernel: str, tasks: int, /, **values: Value) -> None:
        """An op that comes before all others."""
        self.first.ops.append(self.op(kernel, tasks, **values))
        self.first.tasks = max(self.first.tasks, tasks)

    def after(self, kernel: str, tasks: int, /, **values: Value) -> None:
        """An op after all others but the update; until then nothing overwrites what it reads."""
        blocks = {value.block for value in values.values() if isinstance(value, Address)}
        self.awaited |= blocks & {one.block for one in self.maps}
        self.last.ops.append(self.op(kernel, tasks, **values))
        self.last.tasks = max(self.last.tasks, tasks)

    def pointwise(self, kernel: str, at: Map, /, **maps: Map) -> None:
        """An elementwise op on these maps, which have the form of `at` but for borders."""
        values = {
            key: value for name, one in maps.items() for key, value in one.lines(name).items()
        }
        lines = {"lines": at.height, "numbers": at.width * at.pixel}
        if all(one.runs == at.runs for one in maps.values()):  # else one has a border, another not
            lines = at.runs
        self.by_rows(kernel, **values, **lines)

    def free(self, dy: Map) -> Map:
        """The map itself to overwrite, or a new array of its form if it is read again."""
        return self.like(dy.block, dy) if dy.block in self.kept | self.awaited else dy

    @contextmanager
    def keeping(self, dy: Map) -> Iterator[None]:
        """A context in which nothing overwrites the gradient."""
        before = set(self.kept)
        self.kept.add(dy.block)
        yield
        self.kept = before

    def op(self, kernel: str, limit: int = EVERY_TASK, /, **values: Value) -> Op:
        """An op of the current layer, with those of the values that the kernel takes."""
        taken = {name: values[name] for name in KERNELS[kernel].parameters}
        return Op(kernel, taken, self.label, limit)

    def _new(
        self, name: str, pixel: int, sides: tuple[int, int, int], border: Border = NO_BORDER
    ) -> Map:
        name = self._unique(name)
        new = laid(name, pixel, sides, border, self.dtype.itemsize)
        self.blocks[name] = self.batch_size * new.row
        self.maps.append(new)
        return new

    def _unique(self, name: str) -> str:
        base, number = name, 2
        while name in self.blocks:
            name, number = f"{base}_{number}", number + 1
        return name
