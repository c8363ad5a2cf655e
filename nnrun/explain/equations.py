"""The equations of layers and losses, from their docstrings."""

from __future__ import annotations

import re
from inspect import getdoc
from typing import NamedTuple

from nnrun.nn.activations.base import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.losses import Loss
from nnrun.nn.losses.weighted import Weighted, unweighted

# Up to a blank line that no indented equation follows.
_BACKWARD = re.compile(r"Backward[:,]\s*(.*?)(?=\n\n(?!    )|\Z)", re.DOTALL)


class Equations(NamedTuple):
    """What a layer computes, forward and backward; empty where its docstring does not say."""

    forward: str
    backward: str


def equations(layer: Layer) -> Equations:
    """Those of a layer: the start of its docstring, and what follows `Backward`."""
    text = _body(type(layer))
    forward = _line(re.split(r"\bBackward[:,]", text.split("\n\n")[0])[0])
    found = _BACKWARD.search(text)
    if found:
        return Equations(forward, _line(found[1]))
    return Equations(forward, "dx = dy · f'(x)" if isinstance(layer, Activation) else "")


def loss_equation(loss: Loss) -> str:
    """That of a loss."""
    paragraphs = _body(type(unweighted(loss))).split("\n\n")[:2]
    if isinstance(loss, Weighted):
        paragraphs.append("L of a row and its gradient are multiplied by w, the weight of the row.")
    return _line(" ".join(paragraphs))


def optimizer_equation(optimizer: object) -> str:
    """That of an optimizer."""
    return _line(_body(type(optimizer)).split("\n\n")[0])


def _body(kind: type) -> str:
    """The docstring without its arguments; that of a base class does not count."""
    own = kind.__doc__ is not None
    return (getdoc(kind) or "").split("\nArgs:")[0] if own else ""


def _line(text: str) -> str:
    return " ".join(text.split())
