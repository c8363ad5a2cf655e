"""One output of a convolution: a window of its input, a kernel, and their products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.explain.trace import LayerTrace
from nnrun.nn.layers.convolution import Convolution
from nnrun.nn.signature import Array


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
