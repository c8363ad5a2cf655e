"""The tape's emitters of convolutions and pooling, a block of rows at a time."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnrun.engines.kernels import sizes
from nnrun.engines.kernels.sizes import padded
from nnrun.engines.tape.elementwise import Emitter, added, place_bias, sum_bias
from nnrun.engines.tape.plan import Address, Border, Map, Placed
from nnrun.nn.layers.windows import padding_of

Values = dict[str, Address | int]
# Groups of rows and strips of dw, where it has at least this many (a, b, c). Below, each row has a
# sum of its own.
_GROUPS, _STRIPS, _LEAST = 2, 8, 128


class Convolution(Emitter):
    """y = b + w * x; dw and db are summed for each block of rows, and then over the blocks.

    Where blocks are single rows, a large dw would be written and read again as often as there are
    rows: then two sums, of every second row, are made strip by strip. With two threads each has
    made the rows itself that it sums over, and little has to cross from one's cache to the other's.

    By direct sums or, where the sizes suit it, by Winograd's.
    """

    any_channels = True
    bias: Placed | None = None

    @classmethod
    def needed_border(cls, layer: Any, training: bool) -> Border:
        (top, bottom), (left, right) = padding_of(
            layer.padding, layer.input_shape[1:], layer.kernel, layer.stride
        )
        return top, bottom, left, right

    def place(self) -> None:
        plan, layer, x = self.plan, self.layer, self.x
        self.y = plan.array(f"z{self.tag}", layer.output_shape, self.border)
        kh, kw = layer.kernel
        u, c, a, e = np.ogrid[: layer.channels, : x.channels, :kh, :kw]
        stored = self.y.pixel
        where = ((a * kw + e) * x.channels + c) * stored + u
        self.taps = kh * kw
        self.top, _, self.left, _ = self.needed_border(layer, plan.training)
        self.by_winograd = sizes.uses_winograd(layer.kernel, layer.stride, x.pixel, layer.channels)
        rows = self.taps * x.channels
        by_strips = plan.rows == 1 and rows >= _LEAST and not self.by_winograd
        self.strip = padded(-(-rows // _STRIPS)) if by_strips else 0
        self.w = plan.parameter(
            layer.w, f"w{self.tag}", rows * stored, where,
            by_rows=True, groups=_GROUPS if by_strips else 0,
        )  # fmt: skip

    def merge(self, bias: Any, tag: str) -> None:
        """Let the bias after this layer be a part of it."""
        self.bias = place_bias(self.plan, bias, tag, self.y)

    @property
    def _window(self) -> Values:
        (kh, kw), (sh, sw) = self.layer.kernel, self.layer.stride
        sides = {"oh": self.y.height, "ow": self.y.width}
        return {"kh": kh, "kw": kw, "sh": sh, "sw": sw, **sides}

    @property
    def _read(self) -> Values:
        """x from the first pixel of the first window, which may be one of its border."""
        return self.x.named("x", down=-self.top, right=-self.left)

    @property
    def _sizes(self) -> Values:
        """Channels as the weights have them, outputs as stored."""
        return {"channels": self.x.channels, "units": self.y.pixel}

    def forward(self) -> None:
        plan, x, y = self.plan, self.x, self.y
        bias = added(self.bias, y) if self.bias else {"b": 0, "b_line": 0, "b_pixel": 0}
        values: Values = {
            **self._read, **bias, **y.named("y"), **self._sizes, **self._window,
        }  # fmt: skip
        if not self.by_winograd:
            plan.by_rows("convolve", w=Address(self.w.block), **values)
            return
        u = plan.shared(f"u{self.tag}", 16 * x.channels * y.pixel)
        self._transform("transform_weights", x.channels, u=u, **self._sizes)
        height, width = y.height + 2, y.width + 2
        plan.by_rows("winograd", u=u, top=0, left=0, height=height, width=width, **values)

    def _transform(self, kernel: str, count: int, **values: Address | int) -> None:
        rows = sizes.WINOGRAD_ROWS
        self.plan.before(kernel, -(-count // rows), w=Address(self.w.block), rows=rows, **values)

    def backward(self, dy: Map) -> Map:
        self._sum_weights(dy)
        if self.bias:
            sum_bias(self.plan, self.bias, dy)
        if not self.needs_dx:
            return dy
        dx = self.plan.like(f"d{self.x.block}", self.x)
        if self.by_winograd:
            self._back_by_winograd(dy, dx)
        else:
            self._back(dy, dx)
        return dx

    def _sum_weights(self, dy: Map) -> None:
        plan = self.plan
        values: Values = {
            **self._read, **dy.named("dy"), "dw": Address(self.w.gradient),
            "dw_task": self.w.size, **self._sizes, **self._window,
        }  # fmt: skip
        height = self.taps * self.x.channels
        if self.by_winograd:
            plan.by_rows("winograd_weights", **values)
        elif self.strip:
            cut = {"rows": 0, "groups": _GROUPS, "strip": self.strip}
            tasks = _GROUPS * -(-height // self.strip)
            plan.after("convolve_weights", tasks, **values, **cut)
        else:
            plan.by_rows("convolve_weights", **values, groups=plan.row_tasks, strip=height)

    def _turned(self, dx: Map) -> Values:
        return {
            "channels": self.x.channels, "channels_stored": dx.pixel,
            "units": self.y.channels, "units_stored": self.y.pixel,
        }  # fmt: skip

    def _back(self, dy: Map, dx: Map) -> None:
        plan, units = self.plan, self.y.channels
        turned = plan.shared(f"turned{self.tag}", self.taps * units * dx.pixel)
        values = {"w": Address(self.w.block), "turned": turned, **self._turned(dx)}
        plan.before("turn_weights", self.taps, **values, taps=self.taps, rows=1)
        values = {
            **dy.named("dy"), "w": turned, **dx.named("dx"), **self._window,
            **dx.shape, "channels": dx.pixel, "units": units, "top": self.top, "left": self.left,
        }  # fmt: skip
        plan.by_rows("convolve_back", **values)

    def _back_by_winograd(self, dy: Map, dx: Map) -> None:
        plan, units = self.plan, self.y.channels
        u = plan.shared(f"turned{self.tag}", 16 * units * dx.pixel)
        self._transform("transform_turned", units, u=u, **self._turned(dx))
        values: Values = {
            **dy.named("x"), "u": u, "b": 0, "b_line": 0, "b_pixel": 0, **dx.named("y"),
            **dy.shape, "channels": units, "units": dx.pixel, "oh": dx.height, "ow": dx.width,
            "top": 2 - self.top, "left": 2 - self.left,
        }  # fmt: skip
        plan.by_rows("winograd", **values)


# Pooling.

# The position of the largest pixel is stored in the network's dtype; float32 represents all
# integers up to this one.
LARGEST_WINDOW = 1 << 24


class Pooling(Emitter):
    """The base class of both kinds."""

    kernel = ""

    def place(self) -> None:
        self.y = self.plan.array(f"z{self.tag}", self.layer.output_shape, self.border)
        assert self.x.pixel == self.y.pixel
        self.winners: Address | int = 0  # what the backward pass needs besides dy

    @property
    def _window(self) -> dict[str, int]:
        (kh, kw), (sh, sw) = self.layer.size, self.layer.stride
        return {"kh": kh, "kw": kw, "sh": sh, "sw": sw, "oh": self.y.height, "ow": self.y.width}

    def forward(self) -> None:
        values = {**self.x.named("x"), **self.y.named("y"), "place": self.winners, **self._window}
        self.plan.by_rows(self.kernel, **values)
        self.plan.clear(self.y)

    def backward(self, dy: Map) -> Map:
        if not self.needs_dx:
            return dy
        x = self.x
        # x is not needed any more; a second map of its size would fill the cache.
        dx = self.plan.like(f"d{x.block}", x) if self.kept else self.plan.free(x)
        assert dy.pixel == self.y.pixel  # the winners lie as y does
        values = {**dy.named("dy"), **dx.named("dx"), "place": self.winners, **self._window}
        self.plan.by_rows(f"{self.kernel}_back", **values, **x.shape)
        return dx


class MaxPool2d(Pooling):
    """The largest number of each window; dy goes to the first of them."""

    kernel = "max_pool"

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        if prod(layer.size) > LARGEST_WINDOW:
            return f"finds the largest of at most {LARGEST_WINDOW:,} pixels"
        return None

    def place(self) -> None:
        super().place()
        y = self.y
        if self.plan.training and self.needs_dx:
            size = self.plan.batch_size * y.height * y.width * y.pixel
            self.winners = self.plan.shared(f"place{self.tag}", size)


class AvgPool2d(Pooling):
    """The mean of each window."""

    kernel = "avg_pool"
