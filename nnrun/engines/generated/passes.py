"""The emitters of layers by type, and the two passes of a batch that they write, row by row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from nnrun.engines.formulas import LOSSES, POINTWISE, LossFormula, loss_formula
from nnrun.engines.generated.elementwise import (
    Activation,
    Bias,
    Dropout,
    Emitter,
    Flatten,
    Product,
    Softmax,
    exponentials,
    total,
)
from nnrun.engines.generated.products import AvgPool2d, Convolution, MaxPool2d, matmul
from nnrun.engines.generated.program import Program, Row
from nnrun.nn.layer import Layer
from nnrun.nn.losses import Weighted
from nnrun.nn.network import Network
from nnrun.tables import Extended

# The emitters of layers, by the types of `nnrun.nn`.
#
# Layers whose rows depend on each other (batch normalisation) have none: kernels train them.


def _of_plugin(name: str) -> type[Activation] | None:
    """An activation that is given by formulas."""
    return Activation if name in POINTWISE else None


EMITTERS: Extended[Callable[..., Emitter]] = Extended(
    {
        "matmul": matmul,
        "bias": Bias,
        "convolution": Convolution,
        "max_pool2d": MaxPool2d,
        "avg_pool2d": AvgPool2d,
        "flatten": Flatten,
        "dropout": Dropout,
        "softmax": Softmax,
        **dict.fromkeys(POINTWISE, Activation),
    },
    _of_plugin,
)


def refusal(layer: Layer) -> str | None:
    """Why this layer cannot be compiled, as the end of "the compiled engine …"; None if it can."""
    emitter = EMITTERS.get(layer.type)
    if emitter is None:
        return f"has no layer {layer.type}"
    return _class_of(emitter).refuses(layer)


def compiling(layer: Layer) -> float:
    """Seconds that compiling a layer takes, about, on the machine of `choice`'s constants."""
    return _class_of(EMITTERS[layer.type]).compiling(layer)


def _class_of(emitter: Callable[..., Emitter]) -> type[Emitter]:
    if isinstance(emitter, type) and issubclass(emitter, Emitter):
        return emitter
    return Emitter  # a function that picks one by the layer's shape


# The forward and backward pass of a batch, row by row, from the emitters of its layers and loss.
#
# The losses of a row and their gradients come from `engines.formulas`; each is a mean over the rows
# of the batch, and some over the outputs too.


class Loss:
    """Writes the loss of one row, its gradient, and the network's outputs.

    Args:
        y: the row that reaches the loss; the row's targets are called t. If rows have weights, the
            number after the targets is the row's.
    """

    def __init__(self, program: Program, loss: Any, y: Row) -> None:
        self.program = program
        self.formula, self._reported = loss_formula(loss), LOSSES[loss.type]
        self.y = y
        self.parts = y.size if self.formula.over_outputs else 1
        self._weight = f"t[{y.size}]" if isinstance(loss, Weighted) else None
        self.smooth = self.formula is not self._reported
        settings = {name: loss.setting(name, y.size) for name in self.formula.settings}
        self._settings = {name: f"real({value!r})" for name, value in settings.items()}
        program.functions.update(self.formula.functions)

    def prepare(self) -> None:
        """Write what value, gradient and outputs share."""

    def value(self, *, reported: bool) -> None:
        """Write `cost`, the sum over the outputs; the loss is `cost` / `parts`.

        That of evaluations if it is `reported`.
        """
        formula = self._reported if reported else self.formula
        total(self.program, "cost", self.y.size, lambda j: self._at(formula.value, j, formula))
        if self._weight is not None:
            self.program.line(f"cost = {self._weighted('cost')}")

    def output(self, index: int | str) -> str:
        """One output of the network."""
        return self._at(self.formula.output, index)

    def gradient(self, dy: Row) -> None:
        """Write dy."""
        p = self.program
        rows = f"n * {self.y.size}" if self.formula.over_outputs else "n"
        p.scale(f"{self.formula.factor} / double({rows})")
        for j in p.each(self.y, extra=False):
            p.line(f"{dy.at(j)} = {self._weighted(self._at(self.formula.gradient, j))}")

    def _weighted(self, value: str) -> str:
        """The value times the row's weight; 0 for a weight of 0, even if it is infinite."""
        if self._weight is None:
            return value
        return f"(({value}) * {self._weight} if {self._weight} > zero else zero)"

    def _at(self, text: str, index: int | str, formula: LossFormula | None = None) -> str:
        return (formula or self.formula).written(
            text, self.y.at(index), f"t[{index}]", self._settings
        )


class SoftmaxCrossEntropy(Loss):
    """-t log p with p = softmax(z), (p - t) / rows, from the logits z.

    log p = z - m - log Σ exp(z - m), m = max z; `exponentials` calls the sum `total`.
    """

    def prepare(self) -> None:
        self.e = self.program.like("e", self.y)
        self.program.comment("exponentials of the logits, which softmax divides by their sum")
        exponentials(self.program, self.y, self.e)

    def value(self, *, reported: bool) -> None:
        self.program.line(f"log_total = {self.program.call('log')}(total)")
        super().value(reported=reported)

    def output(self, index: int | str) -> str:
        return f"{self.e.at(index)} * (one / total)"

    def gradient(self, dy: Row) -> None:
        p = self.program
        p.scale("1.0 / double(n)")
        # The formula's gradient with one fused multiply-add after the division: dy, for which
        # the whole way back waits, is there earlier.
        p.line("share = scale / total")
        for j in p.each(self.y, extra=False):
            t = self._at("{t}", j)
            p.line(f"{dy.at(j)} = {self._weighted(f'{self.e.at(j)} * share - {t} * scale')}")


def emitters(program: Program, network: Network, x: Row) -> list[Emitter]:
    """One for each active layer, with the rows between them."""
    tags = network.tags
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
        kind = SoftmaxCrossEntropy if loss.type == "softmax_cross_entropy" else Loss
        emitter = kind(p, loss, ordered)
        self.parts = emitter.parts
        emitter.prepare()
        if self.losses and emitter.smooth:
            with p.training():
                self._add_loss(emitter, reported=False)
        elif self.losses:
            self._add_loss(emitter)
        with p.block("if evaluating:"):
            if emitter.smooth or not self.losses:
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

    def _add_loss(self, emitter: Loss, *, reported: bool = True) -> None:
        """Add the row's loss to the loss of the batch."""
        p = self.program
        p.comment(f"the loss, {self.network.loss.type}")
        emitter.value(reported=reported)
        cost = "double(cost)"
        p.line(f"losses[k] = {cost} / {emitter.parts}" if p.direct else f"loss += {cost}")
