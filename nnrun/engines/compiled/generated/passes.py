"""The forward and backward pass of a batch, row by row, from the emitters of its layers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from nnrun.engines.compiled.generated import losses
from nnrun.engines.compiled.generated.layers import EMITTERS, Bias, Emitter
from nnrun.engines.compiled.generated.layers.bias import Product
from nnrun.engines.compiled.generated.program import Program, Row
from nnrun.nn.network import Network


def emitters(program: Program, network: Network, x: Row) -> list[Emitter]:
    """One for each active layer, with the rows between them."""
    tags = {id(layer): str(index) for index, block in enumerate(network.blocks) for layer in block}
    learning = [bool(layer.parameters) for layer in network.active_layers].index(True)
    found: list[Emitter] = []
    for index, layer in enumerate(network.active_layers):
        emitter = EMITTERS[layer.type](program, layer, tags[id(layer)], x, index > learning)
        if isinstance(emitter, Bias) and found and isinstance(found[-1], Product):
            found[-1].bias = emitter
            emitter.merge()
        found.append(emitter)
        x = emitter.y
    return found


class Passes:
    """Writes one loop over the rows of a batch, up to the gradients (or the updates).

    Evaluation has no backward pass: it writes the loss and the outputs instead.

    Args:
        losses: whether training writes the loss of every batch too.
    """

    def __init__(self, program: Program, network: Network, x: Row, *, losses: bool) -> None:
        self.program = program
        self.network = network
        self.layers = emitters(program, network, x)
        self.output = self.layers[-1].y
        self.losses = losses
        self.parts = 1

    def write(self) -> None:
        """Forward, loss, backward."""
        p = self.program
        if not p.direct:
            p.line("loss = double(0)")
        with p.training():
            for layer in self.layers:
                layer.before()
        learning = [bool(layer.layer.parameters) for layer in self.layers].index(True)
        with p.rows():
            for layer in self.layers:
                layer.forward()
            back = self._loss()
            with p.training():
                dy = back()
                for layer in reversed(self.layers[learning:]):
                    dy = layer.backward(dy)
        if not p.direct:
            with nullcontext() if self.losses else p.block("if evaluating:"):
                p.line(f"losses[k] = loss / double(n * {self.parts})")

    def _loss(self) -> Callable[[], Row]:
        """Write the loss and the outputs; what writes the gradient is returned."""
        p, loss, y = self.program, self.network.loss, self.output
        ordered = y
        if y.image is not None:
            ordered = p.row("ordered", y.size)
            _, height, width = y.image
            number = f"(c * {height} + i) * {width} + j"
            with p.pixels(y):
                p.line(f"{ordered.name}[{number}] = {y.name}_hwc[i, j, c]")
        emitter = losses.emitter(p, loss, ordered)
        self.parts = emitter.parts
        emitter.prepare()
        if self.losses:
            self._add_loss(emitter)
        with p.block("if evaluating:"):
            if not self.losses:
                self._add_loss(emitter)
            for j in p.each(ordered, extra=False):
                p.line(f"out[{j}] = {emitter.output(j)}")

        def back() -> Row:
            p.comment(f"the gradient of {loss.type}")
            dy = p.like(f"d{ordered.name}", ordered)
            emitter.gradient(dy)
            if y.image is None:
                return dy
            image = p.like(f"d{y.name}", y)
            with p.pixels(y):
                p.line(f"{image.name}_hwc[i, j, c] = {dy.name}[{number}]")
            return image

        return back

    def _add_loss(self, emitter: losses.Loss) -> None:
        """Add the row's loss to the loss of the batch."""
        p = self.program
        p.comment(f"the loss, {self.network.loss.type}")
        emitter.value()
        cost = "double(cost)"
        p.line(f"losses[k] = {cost} / {emitter.parts}" if p.direct else f"loss += {cost}")
