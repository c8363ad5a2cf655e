"""What all layers share.

A layer is a function y = f(x; parameters) with its derivative. Arrays hold one row per sample:
vectors are (batch, features), images (batch, channels, height, width). `forward` keeps what
`backward` needs; `backward` takes dL/dy, writes dL/dparameter into each parameter's `grad` and
returns dL/dx. The gradients are exact for whatever loss L the dy came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, Literal, Protocol

import numpy as np

from nnrun.nn.initializers import Initializer
from nnrun.nn.signature import Array, Rng, Shape, ShapeError, shape_text

Place = tuple[str | int, ...]
"""Where a layer stands, as the steps of a config: ("layers", 1, "layers", 0)."""


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
        """How many numbers it holds."""
        return prod(self.shape)

    def place(self, value: Array, grad: Array) -> None:
        """Let value and gradient live in these arrays, of any shape with `size` numbers."""
        self.value = value.reshape(self.shape)
        self.grad = grad.reshape(self.shape)

    def initialize(self, *, rng: Rng) -> None:
        """Draw initial values, into new arrays if the parameter has no place yet."""
        if self.value.shape != self.shape:
            self.place(np.empty(self.size), np.empty(self.size))
        self.value[...] = self.draw(rng)
        self.grad[...] = 0


class Container(Protocol):
    """Layers that a layer holds, as far as it knows them; `Sequential` is one."""

    @property
    def learns(self) -> bool:
        """Whether there are parameters."""

    def walk(self, holder: Place = ()) -> Iterator[tuple[Place, Layer]]:
        """Every layer with its place, each followed by the layers that it holds."""


class Layer:
    """One differentiable step of a network; see the module's text for the rules.

    A layer may hold layers: they are its `children`, and all that is said of parameters, costs
    and memory is of the layer's own, without theirs (`Sequential.walk` finds them).
    """

    type = ""
    initializer = Initializer()
    takes: Literal["images", "vectors"] | None = None  # None: both
    makes_vectors = False  # whether it takes images to make vectors of them, and leaves vectors
    batch_dependent = False  # whether what becomes of a row depends on the others of its batch
    identity = False  # whether y is x in every mode, so that the layer need not be computed

    def __init__(self) -> None:
        self.input_shape: Shape = ()
        self.output_shape: Shape = ()
        self.parameters: list[Parameter] = []
        self.statistics: dict[str, Array] = {}
        self.children: Sequence[Container] = ()
        self._memory: dict[tuple[str, Shape], Array] | None = None

    @property
    def needs_rows(self) -> bool:
        """Whether a batch of one row is too small to train on: each mean would be of one number."""
        return self.batch_dependent and prod(self.input_shape[1:]) == 1

    @property
    def learns(self) -> bool:
        """Whether the layer, or one in it, has parameters."""
        return bool(self.parameters) or any(inner.learns for inner in self.children)

    @property
    def operations(self) -> int:
        """Multiplications and additions in the sums of products of one row's forward pass.

        What is done number by number does not count; backward there are twice as many.
        """
        return 0

    @property
    def numbers(self) -> int:
        """Numbers that it keeps for one row between forward and backward, dx included."""
        return prod(self.input_shape) + prod(self.output_shape)

    def connect(self, input_shape: Shape) -> Shape:
        """Fix the shapes for rows of `input_shape` and return the shape of a row of the output.

        Raises:
            ShapeError: the layer cannot take such rows.
        """
        if self.takes == "images" and len(input_shape) != 3:
            raise ShapeError(f"takes images, but its input is vectors of {input_shape[0]} numbers")
        if self.takes == "vectors" and len(input_shape) != 1:
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
        """Draw its own parameters, in their order."""
        for parameter in self.parameters:
            parameter.initialize(rng=rng)

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        """y = f(x). With `rng` the layer is in training mode, without it in evaluation mode."""
        raise NotImplementedError

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        """dL/dx from dL/dy; where `needs_dx` is false the result is not used and may be dy."""
        raise NotImplementedError

    def reuse_memory(self) -> None:
        """Write results into the same arrays at every call; each call overwrites the last one's."""
        self._memory = {}

    def out(self, name: str, shape: Shape, dtype: Any) -> Array:
        """An array for a result: a new one, or the one made for this name and shape before."""
        if self._memory is None:
            # Whoever tries a layer on whole numbers gets fractions all the same.
            return np.zeros(shape, np.result_type(dtype, np.float32))
        key = (name, shape)
        array = self._memory.get(key)
        if array is None:
            array = self._memory[key] = np.zeros(shape, dtype)
        return array
