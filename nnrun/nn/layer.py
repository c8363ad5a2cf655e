"""The base class of layers.

A layer is a function y = f(x; parameters) with its derivative. Arrays hold one row per sample:
vectors are (batch, features), images (batch, channels, height, width). `forward` keeps what
`backward` needs; `backward` takes dL/dy, writes dL/dparameter into each parameter's `grad` and
returns dL/dx. These are the exact gradients of the loss L from which dL/dy was computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Literal, Protocol

import numpy as np

from nnrun.nn.initializers import Initializer
from nnrun.nn.signature import Array, Rng, Shape, ShapeError, shape_text

Place = tuple[str | int, ...]
"""The position of a layer, as keys of a config: ("layers", 1, "layers", 0)."""


class Parameter:
    """An array that training changes, with its gradient."""

    def __init__(self, name: str, shape: Shape, draw: Callable[[Rng], Array]) -> None:
        self.name = name
        self.shape = shape
        self.draw = draw
        self.value: Array = np.empty(0)
        self.grad: Array = np.empty(0)

    @property
    def size(self) -> int:
        """The number of its elements."""
        return prod(self.shape)

    def place(self, value: Array, grad: Array) -> None:
        """Use these arrays for value and gradient; any shape with `size` elements."""
        self.value = value.reshape(self.shape)
        self.grad = grad.reshape(self.shape)

    def initialize(self, *, rng: Rng) -> None:
        """Draw initial values, into new arrays if the parameter has none yet."""
        if self.value.shape != self.shape:
            self.place(np.empty(self.size), np.empty(self.size))
        self.value[...] = self.draw(rng)
        self.grad[...] = 0


class Container(Protocol):
    """A group of layers inside a layer; `Sequential` is one."""

    @property
    def learns(self) -> bool:
        """Whether there are parameters."""

    def named_layers(self, holder: Place = ()) -> Iterator[tuple[Place, Layer]]:
        """Every layer with its place, each followed by the layers inside it."""


class Layer:
    """One differentiable step of a network; the module's docstring has the rules.

    A layer may hold groups of other layers, its `children`. Its own parameters, buffers, `flops`
    and `activation_count` do not include theirs (`Sequential.named_layers` yields them all).
    """

    type = ""
    initializer = Initializer()
    input_kind: Literal["images", "vectors"] | None = None  # None: both
    is_series = False  # whether it takes images of height 1 alone
    makes_vectors = False  # whether images become vectors, as by flatten
    batch_dependent = False  # whether a row's output depends on the other rows of its batch
    identity = False  # whether y is always x, so that the layer need not be computed

    def __init__(self) -> None:
        self.input_shape: Shape = ()
        self.output_shape: Shape = ()
        self.parameters: list[Parameter] = []
        self.buffers: dict[str, Array] = {}
        self.children: Sequence[Container] = ()

    @property
    def needs_rows(self) -> bool:
        """Whether training needs batches of two rows: else each mean would be of one number."""
        return self.batch_dependent and prod(self.input_shape[1:]) == 1

    @property
    def learns(self) -> bool:
        """Whether the layer, or one inside it, has parameters."""
        return bool(self.parameters) or any(inner.learns for inner in self.children)

    @property
    def flops(self) -> int:
        """Multiplications and additions in the sums of products of one row's forward pass.

        Elementwise work does not count; the backward pass has twice as many.
        """
        return 0

    @property
    def activation_count(self) -> int:
        """The numbers kept for one row between forward and backward, dx included."""
        return prod(self.input_shape) + prod(self.output_shape)

    def connect(self, input_shape: Shape) -> Shape:
        """Fix the shapes for rows of `input_shape` and return the shape of a row of the output.

        Raises:
            ShapeError: the layer cannot take such rows.
        """
        if self.input_kind == "images" and len(input_shape) != 3:
            raise ShapeError(f"takes images, but its input is vectors of {input_shape[0]} numbers")
        if self.is_series and input_shape[1] != 1:
            raise ShapeError(
                f"takes series, images of height 1, but its input is {shape_text(input_shape)}"
            )
        if self.input_kind == "vectors" and len(input_shape) != 1:
            raise ShapeError(
                f"takes vectors, but its input is images of {shape_text(input_shape)}; "
                "put a flatten before it"
            )
        self.input_shape = input_shape
        self.output_shape = self._connect(input_shape)
        return self.output_shape

    def _connect(self, input_shape: Shape) -> Shape:
        """Declare parameters for this input and return the output's shape."""
        return input_shape

    def initialize(self, *, rng: Rng) -> None:
        """Draw initial values for the layer's own parameters, in order."""
        for parameter in self.parameters:
            parameter.initialize(rng=rng)

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        """y = f(x); in training mode if `rng` is given, else in evaluation mode."""
        raise NotImplementedError

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        """dL/dx from dL/dy; if `needs_dx` is false the result is not used and may be dy."""
        raise NotImplementedError
