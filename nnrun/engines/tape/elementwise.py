"""The tape's emitters of layers that work on each number or channel, and their base class."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.formulas import POINTWISE
from nnrun.engines.kernels.sizes import padded
from nnrun.engines.tape.plan import (
    NO_BORDER,
    Address,
    Border,
    ExecutionPlan,
    Map,
    Op,
    Placed,
    Value,
    chunks,
)
from nnrun.tables import Extended


class Emitter:
    """Adds one layer's ops to a tape, forward and backward.

    Args:
        tag: the layer's index in the config; within layers `1.0`.
        border: that the next layer needs around y.
        in_place: whether y is x, overwritten or unchanged.
        kept: whether the backward pass needs x unchanged.
        needs_dx: whether a layer before this one has parameters.
    """

    y: Map
    any_channels = False  # whether x needs no padding channels
    needs_y = False  # whether the backward pass needs y
    changes = False  # whether in place x is overwritten, and not left unchanged

    def __init__(
        self,
        plan: ExecutionPlan,
        layer: Any,
        tag: str,
        x: Map,
        *,
        border: Border,
        in_place: bool,
        kept: bool,
        needs_dx: bool,
    ) -> None:
        self.plan = plan
        self.layer = layer
        self.tag = tag
        self.x = x
        self.border = border
        self.in_place = in_place
        self.kept = kept
        self.needs_dx = needs_dx
        wanted = self.needed_border(layer, plan.training)
        assert all(has >= least for has, least in zip(x.border, wanted, strict=True))
        self.place()

    def label(self) -> None:
        """Label the ops that follow with this layer."""
        self.plan.label = f"{self.tag}: {self.layer.type}"

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        """Why there is no kernel for this layer, as the end of "the compiled engine …"."""
        return None

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        """Whether y can be x itself, overwritten or unchanged."""
        return False

    @classmethod
    def needed_border(cls, layer: Any, training: bool) -> Border:
        """The border of zeros that x must have."""
        return NO_BORDER

    def place(self) -> None:
        """Allocate memory and set `y`."""
        raise NotImplementedError

    def forward(self) -> None:
        """Add the ops that compute y from x."""
        raise NotImplementedError

    def backward(self, dy: Map) -> Map:
        """Add the ops that compute dx from dy, and the parameters' gradients; dx may be dy.

        An op that overwrites dy takes its memory from `ExecutionPlan.free`. If dx is not needed,
        the returned value is not used.
        """
        raise NotImplementedError


# By the types of `nnrun.nn`; filled by `tape/layers.py`.
def _of_plugin(name: str) -> type[Emitter] | None:
    """Emitter of an activation that is given by formulas; None for other layers."""
    known = dict.get(EMITTERS, "sigmoid")
    return known if name in POINTWISE else None


EMITTERS: Extended[type[Emitter]] = Extended({}, _of_plugin)


# Activations: in place where x need not be kept.


class Activation(Emitter):
    """Elementwise."""

    needs_y = changes = True

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        return POINTWISE[layer.type].in_place

    def place(self) -> None:
        new = not self.in_place
        self.y = self.plan.like(f"h{self.tag}", self.x, self.border) if new else self.x

    def forward(self) -> None:
        plan, kind, x, y = self.plan, self.layer.type, self.x, self.y
        plan.pointwise(kind, x, x=x, y=y)
        # Of a single pixel, padding channels are not computed.
        if not (POINTWISE[kind].keeps_zero or x.is_vector):
            plan.clear(y)

    def backward(self, dy: Map) -> Map:
        if not self.needs_dx:
            return dy
        dx = self.plan.free(dy)
        self.plan.pointwise(f"{self.layer.type}_back", dy, x=self.x, y=self.y, dy=dy, dx=dx)
        return dx


class Softmax(Emitter):
    """yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)."""

    needs_y = True

    def place(self) -> None:
        plan, x, name = self.plan, self.x, f"h{self.tag}"
        self.y = plan.like(name, x) if x.is_vector else plan.vector(name, x.size)

    def forward(self) -> None:
        x = self.plan.flattened(self.x)
        self.plan.by_rows("softmax", **x.rows("x"), **self.y.rows("y"), size=x.size)

    def backward(self, dy: Map) -> Map:
        if not self.needs_dx:
            return dy
        dx = self.plan.free(dy)
        values = {**self.y.rows("y"), **dy.rows("dy"), **dx.rows("dx")}
        self.plan.by_rows("softmax_back", **values, size=self.y.size)
        return self.plan.unflattened(dx, self.x)


# Biases: by themselves, or as a part of a convolution.

Values = dict[str, Address | int]


def place_bias(plan: ExecutionPlan, layer: Any, tag: str, y: Map) -> Placed:
    """A place in the form of a row of y without a border, or of one of its pixels."""
    if layer.b.size == y.size:
        return plan.parameter(layer.b, f"b{tag}", y.stored, y.order, by_rows=True)
    return plan.parameter(layer.b, f"b{tag}", y.pixel, np.arange(y.channels), by_rows=True)


def strides(b: Placed, y: Map) -> tuple[int, int]:
    """Numbers of the bias from one line to the next, and from one pixel to the next."""
    if b.parameter.size != y.size:
        return 0, 0
    return y.width * y.pixel, y.pixel


def added(b: Placed, y: Map) -> Values:
    """The parameters of kernels that add a bias."""
    line, pixel = strides(b, y)
    return {"b": Address(b.block), "b_line": line, "b_pixel": pixel}


def sum_bias(plan: ExecutionPlan, b: Placed, dy: Map) -> None:
    """Add the op that sums the bias' gradient over a block of rows."""
    line, pixel = strides(b, dy)
    db: Values = {"db": Address(b.gradient), "db_task": b.size, "db_line": line, "db_pixel": pixel}
    plan.by_rows("sum_rows", **dy.named("dy"), **db, **dy.shape)


class Bias(Emitter):
    """y = x + b; dx = dy."""

    def place(self) -> None:
        self.y = self.plan.like(f"z{self.tag}", self.x, self.border)
        self.b = place_bias(self.plan, self.layer, self.tag, self.y)

    def forward(self) -> None:
        x, y = self.x, self.y
        values = {**x.named("x"), **added(self.b, y), **y.named("y"), **x.shape}
        self.plan.by_rows("add_bias", **values)

    def backward(self, dy: Map) -> Map:
        sum_bias(self.plan, self.b, dy)
        return dy


# Dropout, of the same uniform numbers in the same order as the NumPy engine's.


class Dropout(Emitter):
    """y = x · m, with m drawn for each number of each row; nothing where it only evaluates."""

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        return not (training and layer.rate > 0)

    def place(self) -> None:
        self.is_active = not self.overwrites(self.layer, self.plan.training)
        self.y = self.x
        if self.is_active:
            self.y = self.plan.like(f"h{self.tag}", self.x, self.border)
            self.before = self.plan.drawn
            self.plan.drawn += self.x.size

    def forward(self) -> None:
        if self.is_active:
            self._multiply(self.x, self.y)

    def backward(self, dy: Map) -> Map:
        if not (self.is_active and self.needs_dx):
            return dy
        dx = self.plan.free(dy)
        self._multiply(dy, dx)
        return dx

    def _multiply(self, x: Map, y: Map) -> None:
        rate = self.layer.rate
        values: dict[str, Value] = {
            "uniforms": Address("@uniforms"), "drawn": self.plan.drawn, "before": self.before,
            "share": float(rate), "factor": 1 / (1 - rate), **x.named("x"), **y.named("y"),
        }  # fmt: skip
        self.plan.by_rows("dropout", **values, **self.x.shape)


# Flattening, which moves nothing: the next layer reads images in memory order.


class Flatten(Emitter):
    """y is x."""

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        return True

    def place(self) -> None:
        self.y = self.x

    def forward(self) -> None:
        pass

    def backward(self, dy: Map) -> Map:
        return dy


# Batch normalisation: y = γ x̂ + β, x̂ = (x - μ) / sqrt(σ² + ε), over all rows (and pixels).

BatchValues = dict[str, Address | int]


class BatchNorm(Emitter):
    """Rows depend on each other: sums over the batch separate the stages.

    In evaluation, with the running mean and variance, x is overwritten.
    """

    changes = True

    @classmethod
    def overwrites(cls, layer: Any, training: bool) -> bool:
        return not training

    def place(self) -> None:
        plan, layer, tag, x = self.plan, self.layer, self.tag, self.x
        self.y = x if self.in_place else plan.like(f"h{tag}", x, self.border)
        # The numbers of a flattened image are features, each with a mean of its own.
        self.is_flat = len(layer.input_shape) == 1
        where = x.order if self.is_flat else np.arange(x.channels)
        stored = x.stored if self.is_flat else x.pixel
        self.gamma = plan.parameter(layer.gamma, f"w{tag}", stored, where, by_rows=True)
        self.beta = plan.parameter(layer.beta, f"b{tag}", stored, where, by_rows=True)
        self.size = padded(stored)
        running = [
            plan.statistic(layer, name, f"{name}{tag}", self.size, where) for name in layer.buffers
        ]
        self.running_mean, self.running_variance = running
        self.inverse = plan.shared(f"inverse{tag}", self.size)
        self.mean = plan.shared(f"mean{tag}", self.size) if plan.training else self.running_mean

    def forward(self) -> None:
        if self.plan.training:
            self._measure()
        else:
            self.plan.before(
                "inverses",
                self._tasks,
                variance=self.running_variance,
                inverse=self.inverse,
                **chunks(self.size),
                epsilon=float(self.layer.epsilon),
            )
        self._by_pixels(
            "normalise", x=self.x, **self._scale, beta=Address(self.beta.block), y=self.y
        )

    def _measure(self) -> None:
        """Mean and variance of the batch, which the running ones follow."""
        plan, layer, tag = self.plan, self.layer, self.tag
        parts = self.size * plan.row_tasks
        sums, squares = (
            plan.shared(f"{name}{tag}", parts, cleared=True) for name in ("sums", "squares")
        )
        self._by_pixels("moments", x=self.x, sums=sums, squares=squares, part=self.size)
        shape = self._features(self.x).shape
        self._by_chunks(
            plan.op(
                "statistics", sums=sums, squares=squares, part=self.size,
                mean=self.mean, inverse=self.inverse,
                running_mean=self.running_mean, running_variance=self.running_variance,
                **chunks(self.size), rows=plan.rows, pixels=shape["height"] * shape["width"],
                epsilon=float(layer.epsilon), momentum=float(layer.momentum),
            )
        )  # fmt: skip

    def backward(self, dy: Map) -> Map:
        plan, x = self.plan, self.x
        parts = {
            "dbeta": Address(self.beta.gradient),
            "dgamma": Address(self.gamma.gradient),
        }
        moments: BatchValues = {"mean": self.mean, "inverse": self.inverse}
        self._by_pixels("normalise_sums", x=x, **moments, dy=dy, **parts, part=self.size)
        if not self.needs_dx:
            return dy
        # The update sums the tasks' parts again; dx needs the sums before.
        sums = {name: plan.shared(f"{name}{self.tag}", self.size) for name in parts}
        self._by_chunks(*(
            plan.op("reduce", buffers=parts[name], buffer_task=self.size, total=sums[name],
                    **chunks(self.size), rows=plan.rows, most=plan.row_tasks)
            for name in parts
        ))  # fmt: skip
        dx = plan.free(dy)
        self._by_pixels("normalise_back", x=x, **self._scale, dy=dy, **sums, dx=dx)
        return dx

    @property
    def _scale(self) -> BatchValues:
        return {"mean": self.mean, "inverse": self.inverse, "gamma": Address(self.gamma.block)}

    @property
    def _tasks(self) -> int:
        return -(-self.size // chunks(self.size)["chunk"])

    def _by_chunks(self, *ops: Op) -> None:
        self.plan.by_tasks(self._tasks, *ops)

    def _by_pixels(self, kernel: str, /, **values: Map | Address | int) -> None:
        """An op on a block of rows, with maps among its parameters."""
        named: BatchValues = {}
        for name, value in values.items():
            named |= self._features(value).named(name) if isinstance(value, Map) else {name: value}
        self.plan.by_rows(kernel, **named, **self._features(self.x).shape)

    def _features(self, x: Map) -> Map:
        """A flattened image as a vector in memory order."""
        return x.lying if self.is_flat else x
