"""The equations of layers and losses, from their docstrings; a convolution's window."""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import getdoc
from typing import NamedTuple

import numpy as np

from nnrun.explain.trace import LayerTrace
from nnrun.nn.activations.base import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.layers.convolution import Convolution
from nnrun.nn.losses import Loss
from nnrun.nn.losses.weighted import Weighted, unweighted
from nnrun.nn.signature import Array

# Up to a blank line that no indented equation follows.
_BACKWARD = re.compile(r"Backward[:,]\s*(.*?)(?=\n\n(?!    )|\Z)", re.DOTALL)


class Equations(NamedTuple):
    """What a layer computes, forward and backward; empty where its docstring does not say."""

    forward: str
    backward: str


def equations(layer: Layer) -> Equations:
    """Those of a layer: the start of its docstring, and what follows `Backward`."""
    text = _body(type(layer))
    forward = _line(re.split(r"\bBackward[:,]", text.split("\n\n")[0])[0])
    found = _BACKWARD.search(text)
    if found:
        return Equations(forward, _line(found[1]))
    return Equations(forward, "dx = dy · f'(x)" if isinstance(layer, Activation) else "")


def loss_equation(loss: Loss) -> str:
    """That of a loss."""
    paragraphs = _body(type(unweighted(loss))).split("\n\n")[:2]
    if isinstance(loss, Weighted):
        paragraphs.append("L of a row and its gradient are multiplied by w, the weight of the row.")
    return _line(" ".join(paragraphs))


def optimizer_equation(optimizer: object) -> str:
    """That of an optimizer."""
    return _line(_body(type(optimizer)).split("\n\n")[0])


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
    """That of the middle of the first output channel; None for other layers than convolutions."""
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
