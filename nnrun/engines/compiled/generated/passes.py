"""The forward and backward pass of a batch, row by row, from the emitters of its layers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from nnrun.engines.compiled.generated import losses
from nnrun.engines.compiled.generated.layers import EMITTERS, Bias, Emitter
from nnrun.engines.compiled.generated.layers.product import Product
from nnrun.engines.compiled.generated.program import Program
from nnrun.engines.compiled.generated.row import Row
from nnrun.nn.network import Network


def emitters(program: Program, network: Network, x: Row) -> list[Emitter]:
    """One for each layer of the trunk; the rows between them are planned here."""
    tags = {id(layer): str(index) for index, block in enumerate(network.blocks) for layer in block}
    learning = [bool(layer.parameters) for layer in network.active_layers].index(True)
    made: list[Emitter] = []
    for index, layer in enumerate(network.active_layers):
        emitter = EMITTERS[layer.type](program, layer, tags[id(layer)], x, index > learning)
        if isinstance(emitter, Bias) and made and isinstance(made[-1], Product):
            made[-1].bias = emitter
            emitter.merge()
        made.append(emitter)
        x = emitter.y
    return made


class Passes:
    """Writes what happens to all rows of a batch, up to the gradients (or the updates).

    Mostly one loop over the rows holds everything. Only where a layer looks across the rows does
    the loop end, and a new one begin. In evaluation there is no way back: in its place stand the
    loss and the outputs.

    Args:
        program: what is written to.
        network: of which the layers are.
        x: the row that comes in.
        losses: whether training tells the loss of every batch too.
    """

    def __init__(self, program: Program, network: Network, x: Row, *, losses: bool) -> None:
        self.program = program
        self.network = network
        self.layers = emitters(program, network, x)
        self.output = self.layers[-1].y
        self.dy = self.output
        self.losses = losses
        self.parts = 1
        self.pending: list[Callable[[], None]] = []
        self.pending_back: list[Callable[[], None]] = []

    def write(self) -> None:
        """Forward, loss, backward."""
        p = self.program
        if not p.direct:
            p.line("loss = double(0)")
        with p.training():
            for layer in self.layers:
                layer.before()
        for layer in self.layers:
            if layer.batch_dependent:
                self.pending.append(layer.prepare)
                self._flush()
                layer.across()
            self.pending.append(layer.forward)
        self.pending.append(self._loss)
        learning = [bool(layer.layer.parameters) for layer in self.layers].index(True)
        for layer in reversed(self.layers[learning:]):
            if layer.batch_dependent:
                self._flush()
                with p.training():
                    layer.across_backward(self.dy)
            self.pending_back.append(lambda layer=layer: self._backward(layer))  # type: ignore[misc]
        self._flush()
        if not p.direct:
            with nullcontext() if self.losses else p.block("if evaluating:"):
                p.line(f"losses[k] = loss / double(n * {self.parts})")

    def _backward(self, layer: Emitter) -> None:
        self.dy = layer.backward(self.dy)

    def _loss(self) -> None:
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
            self._tell(emitter)
        with p.block("if evaluating:"):
            if not self.losses:
                self._tell(emitter)
            for j in p.each(ordered, extra=False):
                p.line(f"out[{j}] = {emitter.output(j)}")

        def back() -> None:
            p.comment(f"the gradient of {loss.type}")
            dy = self.dy = p.like(f"d{ordered.name}", ordered)
            emitter.gradient(dy)
            if y.image is not None:
                self.dy = p.like(f"d{y.name}", y)
                with p.pixels(y):
                    p.line(f"{self.dy.name}_hwc[i, j, c] = {dy.name}[{number}]")

        self.pending_back.insert(0, back)

    def _tell(self, emitter: losses.Loss) -> None:
        """What the row adds to the loss of the batch."""
        p = self.program
        p.comment(f"the loss, {self.network.loss.type}")
        emitter.value()
        cost = "double(cost)"
        p.line(f"losses[k] = {cost} / {emitter.parts}" if p.direct else f"loss += {cost}")

    def _flush(self) -> None:
        p = self.program
        with nullcontext() if self.pending else p.training(), p.rows():
            for write in self.pending:
                write()
            with p.training() if self.pending else nullcontext():
                for write in self.pending_back:
                    write()
        self.pending, self.pending_back = [], []
