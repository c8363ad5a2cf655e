"""All numbers of one update as arrays, numerical gradients beside them, and equations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import getdoc
from typing import NamedTuple

import numpy as np

from nnrun.engines.base import clip
from nnrun.nn.activations.base import Activation
from nnrun.nn.gradient_check import derivative, rounding_floor
from nnrun.nn.layer import Layer
from nnrun.nn.layers.convolution import Convolution
from nnrun.nn.losses import Loss
from nnrun.nn.losses.base import ClassLoss
from nnrun.nn.losses.weighted import Weighted, split_weights, unweighted
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.optimizers.adam import Adam
from nnrun.nn.sequential import dotted
from nnrun.nn.signature import Array, Shape

_SIGN = re.compile(r"^ *(\w+): ([^\W\d_][₀-₉]?), ", re.MULTILINE)  # of an argument

# Gradients by differences, entry by entry.

# Of parameters with more entries, those that a shortened matrix shows are compared.
_MOST = 500
# A shortened matrix shows this many rows, columns and so on from each end.
EDGE = 4


def numerical_gradient(
    network: Network, x: Array, target: Array, gradient: Array, *, seed: int
) -> Array:
    """dL/dθ of a batch by central differences; NaN where it is not computed, and at kinks.

    The weights of the network, which is in float64, are changed and restored. The `gradient` by
    backpropagation says how large entries are; the seed is that of dropout masks.
    """
    theta, found = network.theta, np.full(network.size, np.nan)

    def loss() -> float:
        return network.training_loss(x, target, np.random.default_rng(seed))

    noise, start = rounding_floor(network, x, loss()), 0
    for parameter in network.parameters.values():
        part = gradient[start : start + parameter.size]
        floor = max(1e-3 * float(np.abs(part).max(initial=0)), noise, 1e-12)
        for entry in compared(parameter.shape):
            slope = derivative(theta, start + int(entry), loss, floor=floor)
            found[start + int(entry)] = np.nan if slope is None else slope
        start += parameter.size
    return found


def compared(shape: Shape) -> Array:
    """The entries of a parameter that are compared: all, or those at the edges of every axis."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    if numbers.size <= _MOST:
        return numbers.ravel()
    return numbers[np.ix_(*(shown(size) for size in shape))].ravel()


def shown(size: int) -> list[int]:
    """The places of an axis that a shortened matrix shows."""
    if size <= 2 * EDGE:
        return list(range(size))
    return [*range(EDGE), *range(size - EDGE, size)]


@dataclass(frozen=True)
class ParameterTrace:
    """One parameter in an update.

    Args:
        name: such as `0.weight`.
        gradient: dL/dvalue by backpropagation, before clipping.
        numerical: the same by differences; NaN at a kink and for entries that are not compared.
        updated: after the update.
        moments: what the step is made of beside the gradient, by signs of the optimizer's equation.
    """

    name: str
    value: Array
    gradient: Array
    numerical: Array
    updated: Array
    moments: Mapping[str, Array] = field(default_factory=dict, kw_only=True)

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
    def settings(self) -> dict[str, float]:
        """What the signs in the equation of the optimizer stand for, but those that are 0."""
        signs = _SIGN.findall(getdoc(type(self.optimizer)) or "")
        found = {sign: getattr(self.optimizer, name, None) for name, sign in signs}
        steps = {"t": self.optimizer.steps} if isinstance(self.optimizer, Adam) else {}
        return {s: each for s, each in found.items() if isinstance(each, float) and each} | steps

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
    optimizer.spare(network)
    optimizer.step(theta, stepped, learning_rate)
    layers = list(kept.layers(own, (gradient, numerical, theta), _moments(optimizer)))
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
        self, network: Network, arrays: Sequence[Array], moments: Mapping[str, Array]
    ) -> Iterator[LayerTrace]:
        """The layers that have been computed, with their parameters."""
        parts, start = {}, 0
        for name, parameter in network.parameters.items():
            part = slice(start, start := start + parameter.size)
            whole = (network.theta, *arrays, *moments.values())
            values = [array[part].reshape(parameter.shape).copy() for array in whole]
            memory = dict(zip(moments, values[4:], strict=True))
            parts[id(parameter)] = ParameterTrace(name, *values[:4], moments=memory)
        for place, layer in network.named_layers():
            if id(layer) in self._forward:
                (x, y), (dy, dx) = self._forward[id(layer)], self._backward[id(layer)]
                own = [parts[id(parameter)] for parameter in layer.parameters]
                yield LayerTrace(dotted(place), layer, x, y, dy, dx, own)


# The equations of layers and losses, from their docstrings; a convolution's window.

# Up to a blank line that no indented equation follows.
_BACKWARD = re.compile(r"Backward[:,]\s*(.*?)(?=\n\n(?!    )|\Z)", re.DOTALL)


class Equations(NamedTuple):
    """What a layer computes, forward and backward; empty where its docstring does not say."""

    forward: str
    backward: str


def equations(layer: Layer) -> Equations:
    """Equations of a layer: the start of its docstring, and what follows `Backward`."""
    text = _body(type(layer))
    forward = _line(re.split(r"\bBackward[:,]", text.split("\n\n")[0])[0])
    found = _BACKWARD.search(text)
    if found:
        return Equations(forward, _line(found[1]))
    return Equations(forward, "dx = dy · f'(x)" if isinstance(layer, Activation) else "")


def loss_equation(loss: Loss) -> str:
    """Equation of a loss."""
    plain = unweighted(loss)
    paragraphs = _body(type(plain)).split("\n\n")[:2]
    if isinstance(plain, ClassLoss) and plain.label_smoothing:
        s = plain.label_smoothing
        classes = plain.classes or "classes"
        paragraphs.append(f"Here t is t · (1 - {s:g}) + {s:g} / {classes} (label smoothing).")
    if isinstance(loss, Weighted):
        paragraphs.append("L of a row and its gradient are multiplied by w, the weight of the row.")
    return _line(" ".join(paragraphs))


def optimizer_equation(optimizer: object) -> str:
    """Equation of an optimizer's step, with what it abbreviates."""
    step, *more = _body(type(optimizer)).split("\n\n")
    where = next((part.partition(". ")[0] for part in more if part.startswith("with ")), "")
    return _line(f"{step} {where}")


def _moments(optimizer: Optimizer) -> dict[str, Array]:
    """What its last step was made of beside the gradient, by the signs of its equation."""
    if not isinstance(optimizer, Adam):
        signs = {"velocity": "v", "square": "s"}
        return {signs.get(name, name): array for name, array in optimizer.state.items()}
    m, v = optimizer.state["mean"], optimizer.state["square"]
    corrections = (1 - beta**optimizer.steps for beta in (optimizer.beta1, optimizer.beta2))
    m_hat, v_hat = (array / part for array, part in zip((m, v), corrections, strict=True))
    return {"m": m, "v": v, "m\u0302": m_hat, "v\u0302": v_hat}


def _body(kind: type) -> str:
    """The docstring without its arguments; that of a base class does not count."""
    own = kind.__doc__ is not None
    return (getdoc(kind) or "").split("\nArgs:")[0] if own else ""


def _line(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True)
class Window:
    """How one number of a convolution's output comes about.

    Args:
        place: (channel, row, column) of the output, from 0 on; of the first row of the batch.
        window: (kernel height, kernel width), of the first input channel.
        kernel: of the same shape.
        others: the sum of the products of all other input channels; None if there are none.
        total: the output.
    """

    place: tuple[int, int, int]
    window: Array
    kernel: Array
    others: float | None
    total: float

    @property
    def products(self) -> Array:
        """Window and kernel, number by number."""
        product: Array = self.window * self.kernel
        return product


def middle_window(trace: LayerTrace) -> Window | None:
    """Window in the middle of the first output channel; None for other layers than convolutions."""
    layer = trace.layer
    if not isinstance(layer, Convolution):
        return None
    _, height, width = layer.output_shape
    row, column = height // 2, width // 2
    padded = np.zeros(layer.padded)
    padded[layer.inside] = trace.x[0]
    (down, right), (kh, kw) = layer.stride, layer.kernel
    top, left = row * down, column * right
    window = padded[:, top : top + kh, left : left + kw]
    kernels = trace.parameters[0].value[0]
    others = float((window[1:] * kernels[1:]).sum()) if len(window) > 1 else None
    total = float(trace.y[0, 0, row, column])
    return Window((0, row, column), window[0], kernels[0], others, total)
