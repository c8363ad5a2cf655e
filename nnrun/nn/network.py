"""A network: layers one after the other, with the loss that it is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.losses import FUSED, Loss
from nnrun.nn.signature import Array, Rng, Shape, ShapeError


class LayerError(ShapeError):
    """The layer at `index` (as the network was written) does not fit its input."""

    def __init__(self, index: int, message: str, field: str | None = None) -> None:
        super().__init__(message, field)
        self.index = index


class Network:
    """Layers, the loss, and all parameters in one vector.

    Args:
        blocks: the layers as written: a block is one layer, or several such as those of `dense`.
        loss: what training makes small. Where it and the last activation are computed together
            (softmax and cross-entropy), they are.
        input_shape: the shape of one row, (features,) or (channels, height, width).
        dtype: float64 or float32.

    Raises:
        LayerError: a layer does not fit the shape that reaches it.

    Shapes are fixed at once; memory is taken by `initialize`.
    """

    def __init__(
        self,
        blocks: Sequence[Layer | list[Layer]],
        loss: Loss,
        input_shape: Shape,
        dtype: Any = np.float64,
    ) -> None:
        self.blocks = [block if isinstance(block, list) else [block] for block in blocks]
        self.layers = [layer for block in self.blocks for layer in block]
        self.input_shape = input_shape
        self.dtype = np.dtype(dtype)
        self._connect(input_shape)
        self._fuse(loss)
        self.theta: Array = np.empty(0, self.dtype)
        self.gradient: Array = np.empty(0, self.dtype)

    def _connect(self, shape: Shape) -> None:
        self.block_shapes: list[Shape] = []
        for index, block in enumerate(self.blocks):
            for layer in block:
                try:
                    shape = layer.connect(shape)
                except ShapeError as error:
                    raise LayerError(index, str(error), error.field) from None
            self.block_shapes.append(shape)
        self.output_shape = shape

    def _fuse(self, loss: Loss) -> None:
        """Split the layers into the trunk, which the loss sees, and what only predictions see."""
        steps = [layer for layer in self.layers if layer.type != "linear"]
        fused = FUSED.get((steps[-1].type, loss.type)) if steps else None
        self.loss = fused() if fused else loss
        self.trunk = steps[:-1] if fused else steps
        self.head = steps[-1] if fused else None
        with_parameters = [i for i, layer in enumerate(self.trunk) if layer.parameters]
        self._first = with_parameters[0] if with_parameters else 0

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters by name, `<index of the block>.<name>`."""
        return {
            f"{index}.{parameter.name}": parameter
            for index, block in enumerate(self.blocks)
            for layer in block
            for parameter in layer.parameters
        }

    @property
    def statistics(self) -> dict[str, Array]:
        """What layers keep besides parameters, such as running means, named likewise."""
        return {
            f"{index}.{name}": array
            for index, block in enumerate(self.blocks)
            for layer in block
            for name, array in layer.statistics.items()
        }

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(parameter.size for parameter in self.parameters.values())

    def initialize(self, *, rng: Rng) -> None:
        """Take memory for all parameters and draw their initial values, layer by layer."""
        self.theta = np.zeros(self.size, self.dtype)
        self.gradient = np.zeros(self.size, self.dtype)
        start = 0
        for parameter in self.parameters.values():
            end = start + parameter.size
            parameter.place(self.theta[start:end], self.gradient[start:end])
            start = end
        for layer in self.layers:
            layer.initialize(rng=rng)
            for name, array in layer.statistics.items():
                layer.statistics[name] = array.astype(self.dtype)

    def reuse_memory(self) -> None:
        """Let every layer write into the same arrays at every call; for training loops."""
        for layer in self.layers:
            layer.reuse_memory()

    def predict(self, x: Array) -> Array:
        """Outputs for rows x, in evaluation mode."""
        return self._finish(self._forward(x, None))

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        """The loss of rows x and the outputs for them, in evaluation mode."""
        y = self._forward(x, None)
        return self.loss.value(y, target), self._finish(y)

    def training_loss(self, x: Array, target: Array, rng: Rng) -> float:
        """The loss of a batch in training mode: what `backpropagate` takes the gradient of."""
        return self.loss.value(self._forward(x, rng), target)

    def backpropagate(self, x: Array, target: Array, rng: Rng) -> None:
        """Write the gradient of the loss of this batch into `gradient`."""
        dy = self.loss.gradient(self._forward(x, rng), target)
        for index in range(len(self.trunk) - 1, self._first - 1, -1):
            dy = self.trunk[index].backward(dy, index > self._first)

    def _forward(self, x: Array, rng: Rng | None) -> Array:
        for layer in self.trunk:
            x = layer.forward(x, rng)
        return x

    def _finish(self, y: Array) -> Array:
        return y if self.head is None else self.head.forward(y)
