"""A sequence of layers, in a network or inside a layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Literal, TypeVar

from nnrun.nn.layer import Layer, Parameter, Place
from nnrun.nn.signature import Array, Rng, Shape, ShapeError

V = TypeVar("V")
Layers = list[Layer | list[Layer]]
"""A list of blocks: a block is one layer, or several such as those of `dense`."""


def dotted(place: Place) -> str:
    """The place in names of parameters: `1.0` for `layers[1].layers[0]`."""
    return ".".join(str(step) for step in place if step != "layers")


class LayerError(ShapeError):
    """The layer at `place` does not fit its input; `index` is that of the outermost layer."""

    def __init__(self, place: Place, message: str, field: str | None = None) -> None:
        super().__init__(message, field)
        self.place = place
        self.index = next(step for step in place if isinstance(step, int))


class Sequential:
    """y = fₙ(… f₂(f₁(x))), with dL/dx by the chain rule from the last layer to the first.

    Args:
        blocks: the layers; see `Layers`.
        argument: the argument of the enclosing layer that they come from, as keys of a config.
    """

    def __init__(
        self, blocks: Sequence[Layer | list[Layer]], argument: Place = ("layers",)
    ) -> None:
        self.blocks = [block if isinstance(block, list) else [block] for block in blocks]
        self.argument = argument
        self.layers = [layer for block in self.blocks for layer in block]
        self.active_layers = [layer for layer in self.layers if not layer.identity]
        self.block_shapes: list[Shape] = []
        self.output_shape: Shape = ()

    def named_layers(self, holder: Place = ()) -> Iterator[tuple[Place, Layer]]:
        """Every layer with its place, each followed by the layers inside it."""
        for index, block in enumerate(self.blocks):
            place = (*holder, *self.argument, index)
            for layer in block:
                yield place, layer
                for inner in layer.children:
                    yield from inner.named_layers(place)

    @property
    def tags(self) -> dict[int, str]:
        """Index of the block by a layer's `id`; `0_part_2` for the second of a type there."""
        found = {}
        for index, block in enumerate(self.blocks):
            for place, layer in enumerate(block):
                before = sum(other.type == layer.type for other in block[:place])
                found[id(layer)] = f"{index}_part_{before + 1}" if before else str(index)
        return found

    @property
    def shapes(self) -> dict[Place, Shape]:
        """The output shape of each block, including blocks inside layers."""
        return {place: layer.output_shape for place, layer in self.named_layers()}

    @property
    def input_kind(self) -> Literal["images", "vectors"] | None:
        """The input kind of the first layer that does not take both kinds.

        Layers before a flatten take images; a flatten at the start takes vectors, too.
        """
        for _, layer in self.named_layers():
            if layer.input_kind is not None:
                return layer.input_kind
            if layer.makes_vectors and layer in self.layers:
                return "vectors" if layer is self.layers[0] else "images"
        return None

    @property
    def learns(self) -> bool:
        """Whether there are parameters."""
        return any(layer.parameters for _, layer in self.named_layers())

    def connect(self, input_shape: Shape) -> Shape:
        """Fix the shapes for rows of `input_shape` and return the shape of a row of the output.

        Raises:
            LayerError: a layer does not fit the shape that reaches it.
        """
        shape, self.block_shapes = input_shape, []
        for index, block in enumerate(self.blocks):
            place = (*self.argument, index)
            for layer in block:
                try:
                    shape = layer.connect(shape)
                except LayerError as error:
                    inner = (*place, *error.place)
                    raise LayerError(inner, str(error), error.field) from None
                except ShapeError as error:
                    raise LayerError(place, str(error), error.field) from None
            self.block_shapes.append(shape)
        self.output_shape = shape
        self._list_backward()
        return shape

    def _list_backward(self) -> None:
        """List the layers of backward passes; without dx they end at the first with parameters."""
        first = next((i for i, layer in enumerate(self.active_layers) if layer.learns), 0)
        steps = [(layer, index > first) for index, layer in enumerate(self.active_layers)]
        self._to_parameters = steps[first:][::-1]
        self._to_input = [(layer, True) for layer in reversed(self.active_layers)]

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        """y for rows x; in training mode if `rng` is given."""
        for layer in self.active_layers:
            x = layer.forward(x, rng)
        return x

    def backward(self, dy: Array, needs_dx: bool = True) -> Array:
        """Write the gradients of all parameters and return dL/dx, which is valid if needed."""
        for layer, wanted in self._to_input if needs_dx else self._to_parameters:
            dy = layer.backward(dy, wanted)
        return dy

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters by name: `<index of the block>.<name>`, inside layers `1.0.<name>`.

        The second of one name in a block of several layers is `0.weight_2`.
        """
        return _numbered(
            (f"{dotted(place)}.{parameter.name}", parameter)
            for place, layer in self.named_layers()
            for parameter in layer.parameters
        )

    @property
    def buffers(self) -> dict[str, Array]:
        """Arrays that layers keep besides parameters, such as running means; named like these."""
        return _numbered(
            (f"{dotted(place)}.{name}", array)
            for place, layer in self.named_layers()
            for name, array in layer.buffers.items()
        )


def _numbered(items: Iterable[tuple[str, V]]) -> dict[str, V]:
    """Items by name; those after the first of one name have a number."""
    found: dict[str, V] = {}
    for name, value in items:
        names = chain([name], (f"{name}_{number}" for number in count(2)))
        found[next(free for free in names if free not in found)] = value
    return found
