"""Losses of numbers: how far y is from t, the mean over rows and outputs."""

from __future__ import annotations

from nnrun.engines.compiled.generated.losses.base import Loss
from nnrun.engines.compiled.generated.row import Row


class MeanSquared(Loss):
    """(y - t)², 2 (y - t) / (rows · outputs)."""

    over_outputs = True

    def term(self, index: int | str) -> str:
        error = f"({self.y.at(index)} - t[{index}])"
        return f"{error} * {error}"

    def gradient(self, dy: Row) -> None:
        p, y = self.program, self.y
        p.scale(f"2.0 / double(n * {y.size})")
        for j in p.each(y, extra=False):
            p.line(f"{dy.at(j)} = ({y.at(j)} - t[{j}]) * scale")


class MeanAbsolute(Loss):
    """|y - t|, sign(y - t) / (rows · outputs)."""

    over_outputs = True

    def term(self, index: int | str) -> str:
        return f"abs({self.y.at(index)} - t[{index}])"

    def gradient(self, dy: Row) -> None:
        p, y = self.program, self.y
        p.scale(f"1.0 / double(n * {y.size})")
        for j in p.each(y, extra=False):
            p.line(f"error = {y.at(j)} - t[{j}]")
            p.line(f"{dy.at(j)} = scale if error > zero else (-scale if error < zero else error)")


class Huber(Loss):
    """m (|e| - m / 2) with e = y - t, m = min(|e|, delta); e held within ±delta,
    / (rows · outputs).
    """

    over_outputs = True

    def prepare(self) -> None:
        self.program.line(f"delta = real({self.loss.delta!r})")

    def term(self, index: int | str) -> str:
        size = f"abs({self.y.at(index)} - t[{index}])"
        small = f"min({size}, delta)"
        return f"{small} * ({size} - real(0.5) * {small})"

    def gradient(self, dy: Row) -> None:
        p, y = self.program, self.y
        p.scale(f"1.0 / double(n * {y.size})")
        for j in p.each(y, extra=False):
            p.line(f"error = {y.at(j)} - t[{j}]")
            p.line("error = delta if error > delta else error")
            p.line(f"{dy.at(j)} = (-delta if error < -delta else error) * scale")
