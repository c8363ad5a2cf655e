"""The losses' gradients dL/dy, as source text: each is a mean over the rows of the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.engines.compiled.layers.activation import softmax
from nnrun.engines.compiled.program import Program
from nnrun.engines.compiled.row import Row


def mean_squared(p: Program, loss: Any, y: Row, dy: Row) -> None:
    """2 (y - t) / (rows · outputs)."""
    p.scale(f"2.0 / (n * {y.size})")
    for j in p.each(y, extra=False):
        p.line(f"{dy.at(j)} = ({y.at(j)} - t[{j}]) * scale")


def mean_absolute(p: Program, loss: Any, y: Row, dy: Row) -> None:
    """sign(y - t) / (rows · outputs)."""
    p.scale(f"1.0 / (n * {y.size})")
    for j in p.each(y, extra=False):
        p.line(f"error = {y.at(j)} - t[{j}]")
        p.line(f"{dy.at(j)} = scale if error > zero else (-scale if error < zero else error)")


def huber(p: Program, loss: Any, y: Row, dy: Row) -> None:
    """(y - t), held within ± delta, / (rows · outputs)."""
    p.scale(f"1.0 / (n * {y.size})")
    p.line(f"delta = real({loss.delta!r})")
    for j in p.each(y, extra=False):
        p.line(f"error = {y.at(j)} - t[{j}]")
        p.line("error = delta if error > delta else error")
        p.line(f"{dy.at(j)} = (-delta if error < -delta else error) * scale")


def cross_entropy(p: Program, loss: Any, y: Row, dy: Row) -> None:
    """-t / p / rows."""
    p.scale("-1.0 / n")
    for j in p.each(y, extra=False):
        p.line(f"{dy.at(j)} = t[{j}] / {y.at(j)} * scale if t[{j}] > zero else zero")


def binary_cross_entropy(p: Program, loss: Any, y: Row, dy: Row) -> None:
    """(p - t) / (p (1 - p)) / rows."""
    p.scale("1.0 / n")
    for j in p.each(y, extra=False):
        p.line(f"error = {y.at(j)} - t[{j}]")
        p.line(f"slope = {y.at(j)} * (one - {y.at(j)})")
        p.line(f"{dy.at(j)} = error / slope * scale if error != zero else zero")


def softmax_cross_entropy(p: Program, loss: Any, y: Row, dy: Row) -> None:
    """(softmax(z) - t) / rows, from the logits z."""
    probability = p.like("p", y)
    softmax(p, y, probability)
    p.scale("1.0 / n")
    for j in p.each(y, extra=False):
        p.line(f"{dy.at(j)} = ({probability.at(j)} - t[{j}]) * scale")


def sigmoid_binary_cross_entropy(p: Program, loss: Any, y: Row, dy: Row) -> None:
    """(sigmoid(z) - t) / rows, from the logits z."""
    sigmoid = p.call("sigmoid")
    p.scale("1.0 / n")
    for j in p.each(y, extra=False):
        p.line(f"{dy.at(j)} = ({sigmoid}({y.at(j)}) - t[{j}]) * scale")


LOSSES: dict[str, Callable[[Program, Any, Row, Row], None]] = {
    emit.__name__: emit
    for emit in (
        mean_squared,
        mean_absolute,
        huber,
        cross_entropy,
        binary_cross_entropy,
        softmax_cross_entropy,
        sigmoid_binary_cross_entropy,
    )
}
