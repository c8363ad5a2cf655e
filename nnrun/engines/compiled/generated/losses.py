"""The losses of a row and their gradients, from `formulas.losses`.

Each is a mean over the rows of the batch, and some over the outputs too.
"""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.formulas.losses import LOSSES
from nnrun.engines.compiled.generated.layers.activation import exponentials, total
from nnrun.engines.compiled.generated.program import Program, Row
from nnrun.nn.losses import Weighted
from nnrun.nn.losses.weighted import unweighted


class Loss:
    """Writes the loss of one row, its gradient, and the network's outputs.

    Args:
        y: the row that reaches the loss; the row's targets are called t. If rows have weights, the
            number after the targets is the row's.
    """

    def __init__(self, program: Program, loss: Any, y: Row) -> None:
        self.program = program
        self.formula = LOSSES[loss.type]
        self.y = y
        self.parts = y.size if self.formula.over_outputs else 1
        self._weight = f"t[{y.size}]" if isinstance(loss, Weighted) else None
        settings = {name: getattr(unweighted(loss), name) for name in self.formula.settings}
        self._settings = {name: f"real({float(value)!r})" for name, value in settings.items()}
        program.functions.update(self.formula.functions)

    def prepare(self) -> None:
        """Write what value, gradient and outputs share."""

    def value(self) -> None:
        """Write `cost`, the sum over the outputs; the loss is `cost` / `parts`."""
        total(self.program, "cost", self.y.size, lambda j: self._at(self.formula.value, j))
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

    def _at(self, text: str, index: int | str) -> str:
        return self.formula.written(text, self.y.at(index), f"t[{index}]", self._settings)


class SoftmaxCrossEntropy(Loss):
    """-t log p with p = softmax(z), (p - t) / rows, from the logits z.

    log p = z - m - log Σ exp(z - m), m = max z; `exponentials` calls the sum `total`.
    """

    def prepare(self) -> None:
        self.e = self.program.like("e", self.y)
        self.program.comment("exponentials of the logits, which softmax divides by their sum")
        exponentials(self.program, self.y, self.e)

    def value(self) -> None:
        self.program.line(f"log_total = {self.program.call('log')}(total)")
        super().value()

    def output(self, index: int | str) -> str:
        return f"{self.e.at(index)} * (one / total)"

    def gradient(self, dy: Row) -> None:
        p = self.program
        p.scale("1.0 / double(n)")
        # The formula's gradient with one fused multiply-add after the division: dy, for which
        # the whole way back waits, is there earlier.
        p.line("share = scale / total")
        for j in p.each(self.y, extra=False):
            p.line(f"{dy.at(j)} = {self._weighted(f'{self.e.at(j)} * share - t[{j}] * scale')}")


def emitter(program: Program, loss: Any, y: Row) -> Loss:
    """What writes this loss."""
    kind = SoftmaxCrossEntropy if loss.type == "softmax_cross_entropy" else Loss
    return kind(program, loss, y)
