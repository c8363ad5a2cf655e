"""The tape's emitters of products, embeddings and layers within layers; all emitters by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnrun.engines.formulas import POINTWISE
from nnrun.engines.kernels import sizes
from nnrun.engines.tape.elementwise import (
    EMITTERS,
    Activation,
    BatchNorm,
    Bias,
    Dropout,
    Emitter,
    Flatten,
    Softmax,
)
from nnrun.engines.tape.maps import AvgPool2d, Convolution, MaxPool2d
from nnrun.engines.tape.plan import (
    CHUNKS,
    NO_BORDER,
    Address,
    Border,
    ExecutionPlan,
    Map,
    Op,
    Placed,
    Value,
)
from nnrun.nn.layer import Layer
from nnrun.nn.sequential import Sequential

__all__ = ["EMITTERS", "Sequence", "Step", "border_of", "refusal", "steps_of"]

# Matrix products, their bias added on the way: z = b + x w, dx = dz wᵀ, dw = xᵀ dz.

_BYTES = 8  # of a mask, and of a count


# The parameters by which kernels choose whether zeros are skipped, where they are never.
NOT_SKIPPED: dict[str, Value] = {"counts": 0, "counted": 1}


def nonzeros_of(plan: ExecutionPlan, x: Map) -> dict[str, Value]:
    """Add the op that finds x's nonzeros, once for all products; the parameters of their kernels.

    There is a mask for each row and 64 numbers, and a count for each block of rows.
    """
    size = x.stored
    length = _BYTES // plan.dtype.itemsize
    masks = plan.shared(f"{x.block}_masks", length * sizes.words(size) * plan.batch_size)
    counts = plan.shared(f"{x.block}_counts", length * plan.row_tasks)
    found: dict[str, Value] = {
        "masks": masks, "capacity": plan.batch_size, "counts": counts, "counted": plan.rows,
    }  # fmt: skip
    plan.by_rows("nonzeros", **x.rows("x"), size=size, **found)
    return found


class MatMul(Emitter):
    """In strips of z forward, of x backward; in tiles where zeros are skipped.

    A flattened image is read in memory order: where the channels are last,
    the weights lie accordingly.
    """

    bias: Placed | None = None
    nonzeros: dict[str, Value] | None = None  # of x

    def place(self) -> None:
        plan, x, units = self.plan, self.x, self.layer.units
        assert x.is_whole
        self.dtype = plan.dtype.name
        self.sizes = (x.stored, units)
        order = None if x.is_vector else x.order
        strips = sizes.Strips(*self.sizes, self.dtype, order)
        size = sizes.size(*self.sizes)
        self.w = plan.parameter(self.layer.w, f"w{self.tag}", size, strips, by_rows=False)
        self.y = plan.vector(f"z{self.tag}", units)

    def merge(self, bias: Any, tag: str) -> None:
        """Add the bias after this layer in its own kernel."""
        units = self.layer.units
        self.bias = self.plan.parameter(bias.b, f"b{tag}", units, np.arange(units), by_rows=False)

    def forward(self) -> None:
        plan, (inputs, units) = self.plan, self.sizes
        cut = units, plan.batch_size, self.dtype
        if sizes.may_skip_zeros(plan.batch_size, inputs, units, self.dtype):
            self.nonzeros = nonzeros_of(plan, self.x)
        values: dict[str, Value] = {
            **self.x.rows("x"), "w": Address(self.w.block), **self.y.rows("z"), **self._shape,
            "b": Address(self.bias.block) if self.bias else 0, **(self.nonzeros or NOT_SKIPPED),
            "rows": sizes.product_rows(*cut),
        }  # fmt: skip
        ops = [plan.op("product", sizes.product_tasks(*cut), **values)]
        if self.nonzeros:
            values |= {"rows": sizes.sparse_rows(*cut), "columns": self._columns(units)}
            ops.append(plan.op("sparse_product", sizes.sparse_tasks(*cut), **values))
        self._add(*ops)

    def backward(self, dy: Map) -> Map:
        plan, (inputs, units) = self.plan, self.sizes
        dx = plan.like(f"d{self.x.block}", self.x) if self.needs_dx else dy
        suits = sizes.may_skip_zeros(plan.batch_size, units, inputs, self.dtype)
        nonzeros = nonzeros_of(plan, dy) if suits and self.needs_dx else None
        back = self._back(dy, nonzeros, dx) if self.needs_dx else []
        if back and (nonzeros or self.nonzeros):
            # Strips and tiles hold different weights: none may change before dx is complete.
            self._add(*back)
            back = []
        self._add(*back, *self._updates(dy))
        return dx

    def _back(self, dy: Map, nonzeros: dict[str, Value] | None, dx: Map) -> list[Op]:
        plan, (inputs, _) = self.plan, self.sizes
        values: dict[str, Value] = {
            **dy.rows("dz"), "w": Address(self.w.block), **dx.rows("dx"), **self._shape,
            **(nonzeros or NOT_SKIPPED), "columns": self._columns(inputs),
        }  # fmt: skip
        ops = [plan.op("product_back", sizes.update_tasks(inputs, self.dtype), **values)]
        if nonzeros:
            tasks = sizes.tiles(inputs, self.dtype)
            ops.append(plan.op("sparse_product_back", tasks, **values))
        return ops

    def _updates(self, dy: Map) -> list[Op]:
        plan, (inputs, units) = self.plan, self.sizes
        values: dict[str, Value] = {
            **self.x.rows("x"), **dy.rows("dz"), "w": self._target(self.w), **self._shape,
            "stored": sizes.padded(inputs), "descend": int(plan.descends),
            **(self.nonzeros or NOT_SKIPPED),
            "rows": self._columns(inputs), "columns": self._columns(units),
        }  # fmt: skip
        ops = [plan.op("product_update", sizes.update_tasks(inputs, self.dtype), **values)]
        if self.nonzeros:
            tasks = sizes.tiles(inputs, self.dtype)
            ops.append(plan.op("sparse_product_update", tasks, **values))
        if self.bias:
            # The weights of one input, which is always 1.
            values |= {"x": Address("ones"), "x_row": 0, "inputs": 1, "stored": 1, **NOT_SKIPPED}
            values["w"] = self._target(self.bias)
            ops.append(plan.op("product_update", 1, **values))
        return ops

    def _target(self, placed: Placed) -> Address:
        """The parameter that the step changes, or its gradient."""
        return Address(placed.block if self.plan.descends else placed.gradient)

    @property
    def _shape(self) -> dict[str, Value]:
        return dict(zip(("inputs", "units"), self.sizes, strict=True))

    def _columns(self, numbers: int) -> int:
        """The width of a tile where zeros are skipped."""
        return sizes.columns(numbers, self.dtype)

    def _add(self, *ops: Op) -> None:
        self.plan.by_tasks(max(op.limit for op in ops), *ops)


# Layers one after the other: a network's, or those within a layer.


@dataclass(frozen=True)
class Step:
    """A layer where it is computed.

    Args:
        in_place: whether y is x, overwritten or unchanged.
        kept: whether something else needs x unchanged.
    """

    layer: Layer
    tag: str
    in_place: bool
    kept: bool

    @property
    def emitter(self) -> type[Emitter]:
        """Its emitter."""
        return EMITTERS[self.layer.type]

    @property
    def is_bias(self) -> bool:
        """Whether it is a bias, which the layer before may merge."""
        return self.layer.type == "bias"

    @property
    def takes_bias(self) -> bool:
        """Whether it can merge a bias after it."""
        return issubclass(self.emitter, MatMul | Convolution)


def steps_of(
    layers: Sequential, training: bool, *, holder: str = "", kept: bool = False
) -> list[Step]:
    """The layers in the order in which they are computed.

    Max-pooling after a rising function is moved before it, so that the function has fewer numbers.

    `holder` is the tag of the layer that holds them; if `kept`, the input must stay unchanged.
    """
    tags = layers.tags
    active_layers = list(layers.active_layers)
    for i in range(len(active_layers) - 1):
        rises = active_layers[i].type in POINTWISE and POINTWISE[active_layers[i].type].rises
        if rises and active_layers[i + 1].type == "max_pool2d":
            active_layers[i : i + 2] = active_layers[i + 1], active_layers[i]
    steps: list[Step] = []
    for layer in active_layers:
        emitter = EMITTERS[layer.type]
        in_place = emitter.overwrites(layer, training) and not (emitter.changes and kept)
        steps.append(Step(layer, holder + tags[id(layer)], in_place, kept))
        kept = (emitter.needs_y and training) or (in_place and kept)
    return steps


def border_of(steps: list[Step], training: bool) -> Border:
    """The border that these steps need around their input."""
    for step in steps:
        if not step.in_place:
            return step.emitter.needed_border(step.layer, training)
    return NO_BORDER


class Sequence:
    """The emitters of layers, each with the output of the one before.

    Args:
        needs_dx: whether anything before them has parameters.
    """

    def __init__(
        self,
        plan: ExecutionPlan,
        steps: list[Step],
        x: Map,
        *,
        needs_dx: bool = False,
    ) -> None:
        self.needs_dx = needs_dx
        self.y = x
        self._emitters: list[Emitter] = []
        learning = [step.layer.learns for step in steps]
        for index, step in enumerate(steps):
            last = self._emitters[-1] if self._emitters else None
            if step.is_bias and isinstance(last, MatMul | Convolution) and last.bias is None:
                last.merge(step.layer, step.tag)
                continue
            following = steps[index + 1 :]
            if step.takes_bias and following and following[0].is_bias:
                following = following[1:]
            emitter = step.emitter(
                plan,
                step.layer,
                step.tag,
                self.y,
                border=border_of(following, plan.training),
                in_place=step.in_place,
                kept=step.kept,
                needs_dx=needs_dx or any(learning[:index]),
            )
            self._emitters.append(emitter)
            self.y = emitter.y

    def forward(self) -> None:
        """Add the ops that compute y from x."""
        for emitter in self._emitters:
            emitter.label()
            emitter.forward()

    def backward(self, dy: Map) -> Map:
        """Add the ops that compute dx from dy, and the parameters' gradients; dx may be dy."""
        learning = [emitter.layer.learns for emitter in self._emitters]
        first = 0 if self.needs_dx else learning.index(True)
        for emitter in reversed(self._emitters[first:]):
            emitter.label()
            dy = emitter.backward(dy)
        return dy


# Residual connections: y = x + f(x), dx = dy + (∂f/∂x)ᵀ dy.


class Residual(Emitter):
    """f's layers leave x and dy unchanged: both are added at the end."""

    @classmethod
    def _steps(cls, layer: Any, training: bool, tag: str = "") -> list[Step]:
        return steps_of(layer.inner, training, holder=f"{tag}.", kept=True)

    @classmethod
    def needed_border(cls, layer: Any, training: bool) -> Border:
        return border_of(cls._steps(layer, training), training)

    def place(self) -> None:
        plan, x, layer = self.plan, self.x, self.layer
        # Both terms need the same order of numbers, that of vectors.
        self.is_flat = len(layer.input_shape) == 1 and not x.is_vector
        self.taken = plan.vector(f"{x.block}_flat", x.size) if self.is_flat else x
        steps = self._steps(layer, plan.training, self.tag)
        self.inner = Sequence(plan, steps, self.taken, needs_dx=self.needs_dx)
        self.y = plan.like(f"h{self.tag}", self.taken, self.border)

    def forward(self) -> None:
        if self.is_flat:
            self.plan.flatten(self.x, self.taken)
        self.inner.forward()
        self.label()
        self.plan.pointwise("add", self.inner.y, a=self.taken, b=self.inner.y, y=self.y)

    def backward(self, dy: Map) -> Map:
        plan = self.plan
        with plan.keeping(dy):
            through = self.inner.backward(dy)
        if not self.needs_dx:
            return dy
        self.label()
        dx = plan.free(through)
        plan.pointwise("add", through, a=dy, b=through, y=dx)
        return plan.unflattened(dx, self.x) if self.is_flat else dx


# Embeddings, each column's table by a task for some of its entries.

# Entries that are worth a task of their own.
_FEWEST = 256


class Embedding(Emitter):
    """y = x with each number of a category replaced by its vector; dx is not needed."""

    def place(self) -> None:
        self.y = self.plan.vector(f"embedded{self.tag}", self.layer.output_shape[0])
        self.w = [
            self.plan.parameter(w, f"{w.name}_{self.tag}", w.size, np.arange(w.size), by_rows=False)
            for w in self.layer.w
        ]

    def forward(self) -> None:
        x, y = self.x, self.y
        for source, target in self.layer.copies:
            part = {**x.rows("x", x.offset + source.start), **y.rows("y", y.offset + target.start)}
            self.plan.by_rows("copy", **part, numbers=target.stop - target.start)
        for index, w in enumerate(self.w):
            values = self._values(index, self.y, "y")
            self.plan.by_rows("embed", **values, w=Address(w.block))

    def backward(self, dy: Map) -> Map:
        plan, ops = self.plan, []
        for index, (w, table) in enumerate(zip(self.w, self.layer.tables, strict=True)):
            chunk = max(-(-table.entries // CHUNKS), _FEWEST)
            place = Address(w.block if plan.descends else w.gradient)
            values = {**self._values(index, dy, "dy"), "w": place, "chunk": chunk}
            tasks = -(-table.entries // chunk)
            ops.append(plan.op("embed_update", tasks, **values, descend=int(plan.descends)))
        plan.by_tasks(max(op.limit for op in ops), *ops)
        return dy

    def _values(self, index: int, y: Map, name: str) -> dict[str, Value]:
        """The numbers of a column, its vectors in y or dy, and the sizes of its table."""
        x, table = self.x, self.layer.tables[index]
        start = y.offset + self.layer.vectors[index].start
        sizes: dict[str, Value] = {"entries": table.entries, "dimensions": table.dimensions}
        return {**x.rows("x", x.offset + table.place), **y.rows(name, start), **sizes}


# The tape's emitters of layers, by the types of `nnrun.nn`.

EMITTERS |= {
    "matmul": MatMul,
    "bias": Bias,
    "convolution": Convolution,
    "max_pool2d": MaxPool2d,
    "avg_pool2d": AvgPool2d,
    "flatten": Flatten,
    "dropout": Dropout,
    "embedding": Embedding,
    "batch_norm": BatchNorm,
    "residual": Residual,
    "softmax": Softmax,
    **dict.fromkeys(POINTWISE, Activation),
}


def refusal(layer: Layer) -> str | None:
    """Why there is no kernel for this layer, as the end of "the compiled engine …"."""
    emitter = EMITTERS.get(layer.type)
    return f"has no layer {layer.type}" if emitter is None else emitter.refuses(layer)
