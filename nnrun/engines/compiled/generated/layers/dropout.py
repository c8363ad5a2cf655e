"""Dropout: y = x m / (1 - rate) with m = 0 where a random number is below the rate, else 1."""

from __future__ import annotations

from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.program import Row


class Dropout(Emitter):
    """The random numbers were drawn before, in the order in which the NumPy engine draws them."""

    def plan(self) -> None:
        p, x = self.program, self.x
        self.y = x
        if self.layer.rate == 0:
            return
        self.y = p.like(f"h{self.tag}", x)
        self.mask = p.like(f"mask{self.tag}", x)
        self.first = p.drawn
        p.drawn += x.size

    def forward(self) -> None:
        p, x, y = self.program, self.x, self.y
        if y is x:
            return
        p.comment(f"{self.tag}: dropout at rate {self.layer.rate}, y = x m / (1 - rate)")
        with p.block("if evaluating:"):
            for j in p.each(x):
                p.line(f"{y.at(j)} = {x.at(j)}")
        with p.block("else:"):
            self._drop()

    def _drop(self) -> None:
        p, x, y = self.program, self.x, self.y
        offset = f"drawn + n * {self.first} + r * {x.size}"
        p.line(f"u = view(uniforms, {offset}, ({x.size},))")
        kept = f"real({1 / (1 - self.layer.rate)!r})"
        if x.image is not None:
            channels, height, width = x.image
            with p.pixels(x):
                uniform = f"u[(c * {height} + i) * {width} + j]"
                p.line(
                    f"{self.mask.name}[(i * {width} + j) * {channels} + c] = "
                    f"{kept} if {uniform} >= {self.layer.rate!r} else zero"
                )
        else:
            for j in p.each(x, extra=False):
                uniform = f"u[{j}]"
                p.line(f"{self.mask.at(j)} = {kept} if {uniform} >= {self.layer.rate!r} else zero")
        for j in p.each(x):
            p.line(f"{y.at(j)} = {x.at(j)} * {self.mask.at(j)}")

    def backward(self, dy: Row) -> Row:
        p, x = self.program, self.x
        if self.y is x or not self.needs_dx:
            return dy
        p.comment(f"{self.tag}: dropout, dx = dy m / (1 - rate)")
        dx = p.like(f"d{x.name}", x)
        for j in p.each(x):
            p.line(f"{dx.at(j)} = {dy.at(j)} * {self.mask.at(j)}")
        return dx
