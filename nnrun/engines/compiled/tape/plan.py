"""From a network to its tape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from nnrun.engines.compiled.kernels import KERNELS
from nnrun.engines.compiled.kernels.sizes import scratch, shapes
from nnrun.engines.compiled.tape.arrays import NO_BORDER, Address, Border, Map, image, like, vector
from nnrun.engines.compiled.tape.stages import EVERY_TASK, Op, Stage, Value
from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.signature import Array

# Into so many tasks a batch is cut, at most: more than most machines have cores.
TASKS = 16


class Places(Protocol):
    """Where the numbers of a parameter stand in an array."""

    def copy_in(self, numbers: Array, memory: Array) -> None:
        """Copy the parameter's numbers, flat, to there."""

    def copy_out(self, memory: Array, numbers: Array) -> None:
        """And back."""


class Positions:
    """Any places, one for each number."""

    def __init__(self, positions: Array) -> None:
        self._positions = positions.ravel()

    def copy_in(self, numbers: Array, memory: Array) -> None:
        memory[self._positions] = numbers

    def copy_out(self, memory: Array, numbers: Array) -> None:
        numbers[...] = memory[self._positions]


@dataclass(frozen=True)
class Placed:
    """A parameter's place.

    Args:
        parameter: the layer's.
        block: the array that it is in.
        size: of that.
        places: where in it the parameter's numbers stand.
        parts: how many gradients its gradient is summed up from; 0 where it is made as a whole.
        waits: whether it is changed in the update, and not by whoever makes its gradient.
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
        """Write zeros to all places of the gradient, or its parts, that are of no number."""
        around = np.ones(self.size, bool)
        self.places.copy_in(np.zeros(self.parameter.size, bool), around)
        gradient.reshape(-1, self.size)[:, around] = 0


@dataclass(frozen=True)
class Statistic:
    """The place of what a layer keeps besides parameters.

    Args:
        layer: whose it is.
        name: what the layer calls it.
        block: the array that it is in.
        places: where in it its numbers stand.
    """

    layer: Layer
    name: str
    block: str
    places: Places


@dataclass
class ExecutionPlan:
    """Arrays and stages, while emitters add to them.

    Args:
        dtype: float64 or float32.
        batch_size: the largest batch there will be.
        descends: the update is θ ← θ - η g and nothing more, and made where g is.
        training: for training; else for evaluation.
    """

    dtype: np.dtype[np.floating]
    batch_size: int
    descends: bool
    training: bool
    blocks: dict[str, int] = field(default_factory=dict)  # numbers in each array
    maps: list[Map] = field(default_factory=list)  # those of them that hold a row for each row
    cleared: set[str] = field(default_factory=set)  # those that begin with zeros
    placed: list[Placed] = field(default_factory=list)
    statistics: list[Statistic] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)  # gradients that must not be overwritten yet
    awaited: set[str] = field(default_factory=set)  # arrays that are read at the end of the tape
    first: Stage = field(default_factory=Stage)  # what is done before anything else
    stages: list[Stage] = field(default_factory=list)
    last: Stage = field(default_factory=Stage)  # what is done before the update
    drawn: int = 0  # uniform numbers for each row, once all layers have their places
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
    def lasting(self) -> set[str]:
        """The arrays of parameters and statistics."""
        return {one.block for one in self.placed} | {one.block for one in self.statistics}

    @property
    def scratch(self) -> int:
        """Bytes of scratch memory that each thread needs."""
        return max(self.scratch_of(op) for stage in self.all_stages for op in stage.ops)

    def scratch_of(self, op: Op) -> int:
        """Bytes that the kernel of an op has there."""
        known = {**op.values, "n": self.batch_size, "itemsize": self.dtype.itemsize}
        return scratch.total(KERNELS[op.kernel].pieces(known))

    @property
    def all_stages(self) -> list[Stage]:
        """In their order."""
        return [stage for stage in (self.first, *self.stages) if stage.ops]

    def vector(self, name: str, size: int) -> Map:
        """A new array of a vector for each row."""
        name = self._unique(name)
        return self._taken(vector(name, size, self.dtype.itemsize), name)

    def image(
        self, name: str, shape: tuple[int, int, int], border: Border = NO_BORDER, *,
        exact: bool = False,
    ) -> Map:  # fmt: skip
        """A new array of an image for each row."""
        name = self._unique(name)
        made = image(name, *shape, border, self.dtype.itemsize, exact)
        return self._taken(made, name)

    def array(self, name: str, shape: tuple[int, ...], border: Border = NO_BORDER) -> Map:
        """A vector or an image, by the shape of a layer's output."""
        if len(shape) == 3:
            channels, height, width = shape
            return self.image(name, (channels, height, width), border)
        return self.vector(name, shape[0])

    def like(self, name: str, x: Map, border: Border = NO_BORDER) -> Map:
        """A new array of the form of x, but for the border."""
        name = self._unique(name)
        return self._taken(like(name, x, border, self.dtype.itemsize), name)

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
        """Add the op that writes zeros to the channels of an image that only fill registers.

        Where an image holds an infinite number, they may have become NaN.
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
        """A new array for the batch as a whole; `cleared` if it begins with zeros."""
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
        """Give a parameter its place, and its gradient.

        That is summed up from those of the tasks of rows, or of so many groups of rows.
        """
        if isinstance(places, np.ndarray):
            places = Positions(places)
        size = shapes.padded(size)
        parts = groups or self.row_tasks if by_rows else 0
        waits = by_rows or not self.descends
        placed = Placed(parameter, name, size, places, parts, waits)
        self.placed.append(placed)
        self.blocks[name] = size
        if self.training and waits:
            self.blocks[placed.gradient] = size * max(parts, 1)
        return placed

    def statistic(self, layer: Layer, name: str, block: str, size: int, places: Array) -> Address:
        """Give a statistic of a layer its place."""
        self.statistics.append(Statistic(layer, name, block, Positions(places)))
        self.blocks[block] = size
        return Address(block)

    def by_rows(self, kernel: str, /, **values: Value) -> None:
        """An op on a block of rows."""
        stage = self.stages[-1] if self.stages else None
        if stage is None or not stage.rows:
            stage = Stage(rows=self.rows)
            self.stages.append(stage)
        stage.ops.append(Op(kernel, {**values, "rows": self.rows}, self.label))

    def by_strips(self, strips: str, tasks: int, *ops: Op) -> None:
        """A stage of ops on strips of an array."""
        self.stages.append(Stage(tasks=tasks, strips=strips, ops=list(ops)))

    def before(self, kernel: str, tasks: int, /, **values: Value) -> None:
        """An op that comes before all others."""
        self.first.ops.append(Op(kernel, dict(values), self.label, tasks))
        self.first.tasks = max(self.first.tasks, tasks)

    def after(self, kernel: str, tasks: int, /, **values: Value) -> None:
        """An op that comes after all others but the update; until then nothing overwrites what it
        reads.
        """
        blocks = {value.block for value in values.values() if isinstance(value, Address)}
        self.awaited |= blocks & {one.block for one in self.maps}
        self.last.ops.append(Op(kernel, dict(values), self.label, tasks))
        self.last.tasks = max(self.last.tasks, tasks)

    def pointwise(self, kernel: str, at: Map, /, **maps: Map) -> None:
        """An op on numbers of these maps, in the stage that has just made `at` if that can be."""
        values = {
            key: value for name, one in maps.items() for key, value in one.lines(name).items()
        }
        if not all(one.runs == at.runs for one in maps.values()):  # one has a border, another not
            lines = {"lines": at.height, "numbers": at.width * at.pixel}
            self.by_rows(kernel, **values, **lines, columns=0)
            return
        stage = self.stages[-1] if self.stages else None
        if stage is None or stage.strips != at.block:
            self.by_rows(kernel, **values, **at.runs, columns=0)
            return
        strip = shapes.strip(self.dtype.name)
        stage.ops.append(Op(kernel, {**values, **at.runs, "rows": 0, "columns": strip}, self.label))

    def free(self, dy: Map) -> Map:
        """The map itself, to be overwritten; a new array of its form if it is read again."""
        return self.like(dy.block, dy) if dy.block in self.kept | self.awaited else dy

    @contextmanager
    def keeping(self, dy: Map) -> Iterator[None]:
        """Let nothing overwrite the gradient meanwhile."""
        before = set(self.kept)
        self.kept.add(dy.block)
        yield
        self.kept = before

    def op(self, kernel: str, limit: int = EVERY_TASK, /, **values: Value) -> Op:
        """An op about the layer at hand."""
        return Op(kernel, dict(values), self.label, limit)

    def _taken(self, made: Map, name: str) -> Map:
        self.blocks[name] = self.batch_size * made.row
        self.maps.append(made)
        return made

    def _unique(self, name: str) -> str:
        base, number = name, 2
        while name in self.blocks:
            name, number = f"{base}_{number}", number + 1
        return name
