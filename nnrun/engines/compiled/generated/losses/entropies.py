"""Losses of probabilities, summed over the outputs, the mean over rows."""

from __future__ import annotations

from nnrun.engines.compiled.generated.layers.activation import exponentials
from nnrun.engines.compiled.generated.losses.base import Loss
from nnrun.engines.compiled.generated.row import Row


class CrossEntropy(Loss):
    """-t log p, -t / p / rows."""

    def term(self, index: int | str) -> str:
        log, t = self.program.call("log"), f"t[{index}]"
        return f"(-{t} * {log}({self.y.at(index)}) if {t} > zero else zero)"

    def gradient(self, dy: Row) -> None:
        p, y = self.program, self.y
        p.scale("-1.0 / double(n)")
        for j in p.each(y, extra=False):
            p.line(f"{dy.at(j)} = t[{j}] / {y.at(j)} * scale if t[{j}] > zero else zero")


class BinaryCrossEntropy(Loss):
    """-(t log p + (1 - t) log(1 - p)), (p - t) / (p (1 - p)) / rows."""

    def term(self, index: int | str) -> str:
        log, log1m = self.program.call("log"), self.program.call("log1m")
        y, t = self.y.at(index), f"t[{index}]"
        yes = f"(-{t} * {log}({y}) if {t} > zero else zero)"
        no = f"((one - {t}) * {log1m}({y}) if {t} < one else zero)"
        return f"({yes} - {no})"

    def gradient(self, dy: Row) -> None:
        p, y = self.program, self.y
        p.scale("1.0 / double(n)")
        for j in p.each(y, extra=False):
            p.line(f"error = {y.at(j)} - t[{j}]")
            p.line(f"slope = {y.at(j)} * (one - {y.at(j)})")
            p.line(f"{dy.at(j)} = error / slope * scale if error != zero else zero")


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

    def term(self, index: int | str) -> str:
        return f"t[{index}] * (log_total - ({self.y.at(index)} - largest))"

    def output(self, index: int | str) -> str:
        return f"{self.e.at(index)} * (one / total)"

    def gradient(self, dy: Row) -> None:
        p = self.program
        p.scale("1.0 / double(n)")
        # With one fused multiply-add after the division: whoever waits for dy waits less.
        p.line("share = scale / total")
        for j in p.each(self.y, extra=False):
            p.line(f"{dy.at(j)} = {self.e.at(j)} * share - t[{j}] * scale")


class SigmoidBinaryCrossEntropy(Loss):
    """max(z, 0) - z t + log(1 + exp(-|z|)), (sigmoid(z) - t) / rows, from the logits z."""

    def term(self, index: int | str) -> str:
        exp, log1p = self.program.call("exp"), self.program.call("log1p")
        z = self.y.at(index)
        return f"((({z} if {z} > zero else zero) - {z} * t[{index}]) + {log1p}({exp}(-abs({z}))))"

    def output(self, index: int | str) -> str:
        return f"{self.program.call('sigmoid')}({self.y.at(index)})"

    def gradient(self, dy: Row) -> None:
        p, y = self.program, self.y
        p.scale("1.0 / double(n)")
        for j in p.each(y, extra=False):
            p.line(f"{dy.at(j)} = ({self.output(j)} - t[{j}]) * scale")
