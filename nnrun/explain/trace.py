"""All numbers of one update, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nnrun.engines.clipping import clip
from nnrun.explain.numerical import numerical_gradient
from nnrun.nn.layer import Layer
from nnrun.nn.losses.weighted import Weighted, split_weights
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.sequential import dotted
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class ParameterTrace:
    """One parameter in an update.

    Args:
        name: such as `0.weight`.
        gradient: dL/dvalue by backpropagation, before clipping.
        numerical: the same by differences; NaN at a kink and for entries that are not compared.
        updated: after the update.
    """

    name: str
    value: Array
    gradient: Array
    numerical: Array
    updated: Array

    @property
    def short(self) -> str:
        """Its name within the layer."""
        return self.name.rpartition(".")[2]

    @property
    def compared(self) -> int:
        """How many entries have a numerical gradient."""
        return int(np.isfinite(self.numerical).sum())

    @property
    def worst(self) -> float:
        """The largest difference between both gradients, relative to the largest gradient."""
        return self.difference / max(float(np.abs(self.gradient).max(initial=0)), 1e-12)

    @property
    def difference(self) -> float:
        """The largest difference between both gradients."""
        return float(np.nanmax(np.abs(self.gradient - self.numerical), initial=0.0))


@dataclass(frozen=True)
class LayerTrace:
    """One layer in an update: its arrays have one row for each row of the batch.

    Args:
        place: of its block in the network, such as `0`; layers inside layers are `1.0`.
        layer: the layer.
        x, y: its input and output.
        dy, dx: the gradients of the loss in these.
    """

    place: str
    layer: Layer
    x: Array
    y: Array
    dy: Array
    dx: Array
    parameters: list[ParameterTrace] = field(default_factory=list)


@dataclass(frozen=True)
class UpdateTrace:
    """One update of a network.

    Args:
        network: before the update, in float64.
        layers: in the order of the forward pass; those inside a layer follow it.
        x: the batch.
        target: its targets, without weights.
        weight: of each row, (rows, 1), if the loss has weights.
        output: of the last layer, as the loss takes it.
        prediction: of the network: the output, or what the activation that the loss includes
            makes of it.
        dy: dL/doutput.
        norm: the length of the whole gradient.
        clip_norm: the largest length that it may have, if there is one.
    """

    network: Network
    layers: list[LayerTrace]
    x: Array
    target: Array
    output: Array
    prediction: Array
    loss: float
    dy: Array
    optimizer: Optimizer
    learning_rate: float
    norm: float
    clip_norm: float | None = None
    weight: Array | None = None

    @property
    def clipped(self) -> float:
        """The factor by which the gradient is scaled down; 1 where it is not."""
        if self.clip_norm is None or self.norm <= self.clip_norm:
            return 1.0
        return self.clip_norm / self.norm


def trace_update(
    network: Network,
    optimizer: Optimizer,
    x: Array,
    target: Array,
    *,
    learning_rate: float,
    seed: int = 0,
    clip_norm: float | None = None,
) -> UpdateTrace:
    """Compute one update in float64 and keep all numbers; the network is left as it is.

    The memory of the optimizer moves on by this step. The seed is that of dropout masks, and
    `clip_norm` the largest length of the gradient.
    """
    own = network.copy(np.float64)
    x, target = x.astype(np.float64), target.astype(np.float64)
    kept = _Kept(own)
    output = kept.copy_of(own.forward(x, np.random.default_rng(seed)))
    prediction = output if own.head is None else own.head.forward(output).copy()
    dy = own.loss.gradient(output.copy(), target)
    own.backward(dy.copy(), needs_dx=True)
    gradient = own.gradient.copy()
    numerical = numerical_gradient(network.copy(np.float64), x, target, gradient, seed=seed)
    stepped = own.gradient.copy()
    if clip_norm is not None:
        clip(stepped, clip_norm)
    theta = own.theta.copy()
    optimizer.step(theta, stepped, learning_rate)
    layers = list(kept.layers(own, theta, gradient, numerical))
    loss = float(own.loss.value(output.copy(), target))
    weight = None
    if isinstance(own.loss, Weighted):
        target, weight = split_weights(output, target)
        weight = weight.reshape(-1, 1)
    return UpdateTrace(
        network=network.copy(np.float64),
        layers=layers,
        x=x,
        target=target,
        output=output,
        prediction=prediction,
        loss=loss,
        dy=dy,
        optimizer=optimizer,
        learning_rate=learning_rate,
        norm=float(np.linalg.norm(gradient)),
        clip_norm=clip_norm,
        weight=weight,
    )


class _Kept:
    """Keeps what each layer of a network takes and returns, forward and backward."""

    def __init__(self, network: Network) -> None:
        self._forward: dict[int, tuple[Array, Array]] = {}
        self._backward: dict[int, tuple[Array, Array]] = {}
        for layer in network.steps:
            self._follow(layer)

    def _follow(self, layer: Layer) -> None:
        forward, backward = layer.forward, layer.backward

        def keep_forward(x: Array, rng: np.random.Generator | None = None) -> Array:
            before = self.copy_of(x)
            y = forward(x, rng)
            self._forward[id(layer)] = before, self.copy_of(y)
            return y

        def keep_backward(dy: Array, needs_dx: bool = True) -> Array:
            before = self.copy_of(dy)
            dx = backward(dy, needs_dx)
            self._backward[id(layer)] = before, self.copy_of(dx)
            return dx

        vars(layer).update(forward=keep_forward, backward=keep_backward)

    @staticmethod
    def copy_of(array: Array) -> Array:
        """Layers may write into their arrays again."""
        return np.array(array, np.float64)

    def layers(
        self, network: Network, theta: Array, gradient: Array, numerical: Array
    ) -> Iterator[LayerTrace]:
        """The layers that have been computed, with their parameters."""
        parts, start = {}, 0
        for name, parameter in network.parameters.items():
            part = slice(start, start := start + parameter.size)
            arrays = (network.theta, gradient, numerical, theta)
            values = (array[part].reshape(parameter.shape).copy() for array in arrays)
            parts[id(parameter)] = ParameterTrace(name, *values)
        for place, layer in network.named_layers():
            if id(layer) in self._forward:
                (x, y), (dy, dx) = self._forward[id(layer)], self._backward[id(layer)]
                own = [parts[id(parameter)] for parameter in layer.parameters]
                yield LayerTrace(dotted(place), layer, x, y, dy, dx, own)
