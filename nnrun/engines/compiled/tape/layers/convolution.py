"""Convolutions, their bias added on the way, a block of rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.engines.compiled.tape.arrays import Address, Border, Map
from nnrun.engines.compiled.tape.layers.base import Emitter
from nnrun.engines.compiled.tape.layers.bias import place_bias, strides, sum_bias
from nnrun.engines.compiled.tape.plan import Placed
from nnrun.nn.layers.windows import padding_of


class Convolution(Emitter):
    """y = b + w * x; dw and db are summed for each block of rows, and then over the blocks."""

    bias: Placed | None = None

    @classmethod
    def wants(cls, layer: Any) -> Border:
        (top, bottom), (left, right) = padding_of(
            layer.padding, layer.input_shape[1:], layer.kernel, layer.stride
        )
        return top, bottom, left, right

    def place(self) -> None:
        plan, layer = self.plan, self.layer
        self.y = plan.array(f"z{self.tag}", layer.output_shape, self.border)
        inputs, units = self.x.channels, layer.channels
        kh, kw = layer.kernel
        u, c, a, e = np.ogrid[:units, :inputs, :kh, :kw]
        stored = self.y.pixel
        where = ((a * kw + e) * inputs + c) * stored + u
        self.w = plan.parameter(
            layer.w, f"w{self.tag}", kh * kw * inputs * stored, where, by_rows=True
        )
        self.top, _, self.left, _ = self.wants(layer)

    def merge(self, bias: Any, tag: str) -> None:
        """Let the bias after this layer be a part of it."""
        self.bias = place_bias(self.plan, bias, tag, self.y)

    @property
    def _window(self) -> dict[str, int]:
        (kh, kw), (sh, sw) = self.layer.kernel, self.layer.stride
        return {"kh": kh, "kw": kw, "sh": sh, "sw": sw, "oh": self.y.height, "ow": self.y.width}

    @property
    def _read(self) -> dict[str, Address | int]:
        """x from the first pixel of the first window, which may be one of its border."""
        return self.x.named("x", down=-self.top, right=-self.left)

    def forward(self) -> None:
        line, pixel = strides(self.bias, self.y) if self.bias else (0, 0)
        self.plan.by_rows(
            "convolve",
            **self._read,
            w=Address(self.w.block),
            b=Address(self.bias.block) if self.bias else 0,
            b_line=line,
            b_pixel=pixel,
            **self.y.named("y"),
            channels=self.x.channels,
            units=self.y.channels,
            **self._window,
        )

    def backward(self, dy: Map) -> Map:
        plan, x, y = self.plan, self.x, self.y
        plan.by_rows(
            "convolve_weights",
            **self._read,
            **dy.named("dy"),
            dw=Address(self.w.gradient),
            dw_task=self.w.size,
            channels=x.channels,
            units=y.channels,
            **self._window,
        )
        if self.bias:
            sum_bias(plan, self.bias, dy)
        if not self.needs_dx:
            return dy
        dx = plan.like(f"d{x.block}", x)
        taps = self.layer.kernel[0] * self.layer.kernel[1]
        turned = plan.shared(f"turned{self.tag}", taps * y.channels * dx.pixel)
        plan.before(
            "turn_weights",
            taps,
            w=Address(self.w.block),
            turned=turned,
            taps=taps,
            inputs=x.channels,
            outputs=y.channels,
            inputs_stored=dx.pixel,
            outputs_stored=y.pixel,
        )
        plan.by_rows(
            "convolve_back",
            **dy.named("dy"),
            w=turned,
            **dx.named("dx"),
            channels=dx.pixel,
            units=y.channels,
            **self._window,
            top=self.top,
            left=self.left,
            height=x.height,
            width=x.width,
        )
        return dx
