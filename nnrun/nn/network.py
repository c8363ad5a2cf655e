"""A network: a sequence of layers with a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cached_property, wraps
from math import prod
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.losses import FUSED, Loss, Weighted
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.sequential import LayerError, Sequential
from nnrun.nn.signature import Array, Rng, Shape

__all__ = ["LayerError", "Network", "once_for_each"]

V = TypeVar("V")
P = ParamSpec("P")


class Network(Sequential):
    """Layers, the loss, and all parameters in one vector.

    Args:
        blocks: the layers: a block is one layer, or several such as those of `dense`.
        loss: what training minimizes. Softmax with cross-entropy, and sigmoid with binary
            cross-entropy, are computed together from the logits.
        input_shape: the shape of one row, (features,) or (channels, height, width).
        dtype: float64 or float32.
        penalty: added to the loss in training; evaluations leave it out.
        weighted: whether rows have weights; the last column of targets is theirs (see `Weighted`).

    Raises:
        LayerError: a layer does not fit the shape that reaches it.

    The constructor fixes the shapes; `initialize` allocates memory.
    """

    def __init__(
        self,
        blocks: Sequence[Layer | list[Layer]],
        loss: Loss,
        input_shape: Shape,
        dtype: Any = np.float64,
        penalty: L2Penalty | None = None,
        *,
        weighted: bool = False,
    ) -> None:
        super().__init__(blocks)
        self.input_shape = input_shape
        self.dtype = np.dtype(dtype)
        self.penalty = penalty
        self.weighted = weighted
        self._fuse(loss)
        self.connect(input_shape)
        self.theta: Array = np.empty(0, self.dtype)
        self.gradient: Array = np.empty(0, self.dtype)

    def _fuse(self, loss: Loss) -> None:
        """If the loss includes the last activation, only predictions compute that: the head."""
        last = self.active_layers[-1] if self.active_layers else None
        fused = FUSED.get((last.type, loss.type)) if last else None
        plain = fused(**vars(loss)) if fused else loss
        self.loss = Weighted(plain) if self.weighted else plain
        self.reported = self.loss.reported
        self.head = self.active_layers.pop() if fused else None

    @cached_property
    def steps(self) -> list[Layer]:
        """The layers that an update computes, including those inside layers."""
        layers = [layer for _, layer in self.named_layers()]
        return [layer for layer in layers if not layer.identity and layer is not self.head]

    @property
    def target_size(self) -> int:
        """Numbers in a row of targets: one for each output, and the weight if rows have weights."""
        return prod(self.output_shape) + self.weighted

    @cached_property
    def size(self) -> int:
        """The number of parameters."""
        return sum(each.size for _, layer in self.named_layers() for each in layer.parameters)

    @cached_property
    def weights(self) -> list[Parameter]:
        """The parameters with a penalty: weight matrices and kernels of convolutions."""
        found = self.parameters.values()
        return [each for each in found if each.name == "weight" and len(each.shape) > 1]

    def initialize(self, *, rng: Rng) -> None:
        """Allocate all parameters and draw their initial values, layer by layer."""
        self._place(np.zeros(self.size, self.dtype))
        for _, layer in self.named_layers():
            layer.initialize(rng=rng)
            for name, array in layer.buffers.items():
                layer.buffers[name] = array.astype(self.dtype)

    def copy(self, dtype: Any = None) -> Network:
        """A copy of an initialized network, in another dtype if given."""
        known = [self.theta, self.gradient]
        known += [a for p in self.parameters.values() for a in (p.value, p.grad)]
        twin = deepcopy(self, {id(array): array for array in known})  # these arrays are not copied
        twin.dtype = np.dtype(dtype or self.dtype)
        twin._place(self.theta.astype(twin.dtype))
        for _, layer in twin.named_layers():
            for name, array in layer.buffers.items():
                layer.buffers[name] = array.astype(twin.dtype)
        return twin

    def _place(self, theta: Array) -> None:
        """Make the parameters views of this vector, and their gradients views of another."""
        self.theta, self.gradient = theta, np.zeros_like(theta)
        start = 0
        for parameter in self.parameters.values():
            end = start + parameter.size
            parameter.place(self.theta[start:end], self.gradient[start:end])
            start = end

    def predict(self, x: Array) -> Array:
        """The outputs for rows x, in evaluation mode."""
        return self._finish(self.forward(x, None))

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        """The reported loss of rows x and the outputs for them, in evaluation mode."""
        y = self.forward(x, None)
        return self.reported.value(y, target), self._finish(y)

    def training_loss(self, x: Array, target: Array, rng: Rng) -> float:
        """The loss of a batch in training mode, whose gradient `backpropagate` computes."""
        return self.loss.value(self.forward(x, rng), target) + self._cost(len(x))

    def backpropagate(self, x: Array, target: Array, rng: Rng) -> None:
        """Write the gradient of the loss of this batch into `gradient`."""
        self._descend(self.forward(x, rng), target)

    def loss_and_gradient(self, x: Array, target: Array, rng: Rng) -> float:
        """Like `backpropagate`, and return the loss, for the same dropout masks."""
        y = self.forward(x, rng)
        loss = self.loss.value(y, target) + self._cost(len(x))
        self._descend(y, target)
        return loss

    def _descend(self, y: Array, target: Array) -> None:
        self.backward(self.loss.gradient(y, target), needs_dx=False)
        if self.penalty is not None:
            self.penalty.add_gradient(self.weights, len(y))

    def _cost(self, rows: int) -> float:
        """The penalty for a batch with this many rows."""
        return 0.0 if self.penalty is None else self.penalty.value(self.weights, rows)

    def _finish(self, y: Array) -> Array:
        return y if self.head is None else self.head.forward(y)


def once_for_each(
    make: Callable[Concatenate[Network, P], V],
) -> Callable[Concatenate[Network, P], V]:
    """A function of the layers and shapes of a network, and perhaps of numbers beside it, computed
    once for the same ones while the network is used.
    """
    known: WeakKeyDictionary[Network, dict[Any, V]] = WeakKeyDictionary()

    @wraps(make)
    def get(network: Network, /, *more: P.args, **named: P.kwargs) -> V:
        found = known.get(network)
        if found is None:
            found = known[network] = {}
        if more not in found:
            found[more] = make(network, *more, **named)
        return found[more]

    return get


# The most numbers that all layers together hold for one chunk of rows.
_CHUNK_NUMBERS = 500_000


@once_for_each
def chunk_rows(network: Network) -> int:
    """Rows evaluated at a time; it depends on the network alone, so that the bits are the same."""
    numbers = prod(network.input_shape) + sum(map(prod, network.shapes.values()))
    return max(1, min(4096, _CHUNK_NUMBERS // numbers))
