"""The activations in ONNX, and in scripts for NumPy and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from nnrun.nn.activations.relu import LeakyReLU


class Operators(Protocol):
    """An ONNX graph under construction (`onnx.graph`), without importing ONNX."""

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append an operator, and return the name of its output."""


@dataclass(frozen=True)
class Forms:
    """One activation y = f(x).

    Args:
        onnx: appends the operators to the graph; takes the name of x and returns that of y.
        numpy: an expression of `h`, which may call the helpers of the language.
        pytorch: likewise.
        opset: the first ONNX operator set with these operators.
    """

    onnx: Callable[[Operators, str], str]
    numpy: str
    pytorch: str
    opset: int = 1


def operator(name: str, **attributes: Any) -> Callable[[Operators, str], str]:
    """A single operator of ONNX."""
    return lambda graph, x: graph.add(name, x, **attributes)


ACTIVATIONS: dict[str, Forms] = {
    "linear": Forms(operator("Identity"), "h", "h"),
    "sigmoid": Forms(
        operator("Sigmoid"),
        "sigmoid(h)",
        "torch.sigmoid(h)",
    ),
    "tanh": Forms(operator("Tanh"), "np.tanh(h)", "torch.tanh(h)"),
    "relu": Forms(operator("Relu"), "np.maximum(h, 0)", "F.relu(h)"),
    "leaky_relu": Forms(
        operator("LeakyRelu", alpha=LeakyReLU.slope),
        f"np.where(h > 0, h, {LeakyReLU.slope} * h)",
        f"F.leaky_relu(h, {LeakyReLU.slope})",
    ),
    "elu": Forms(
        operator("Elu", alpha=1.0), "np.where(h > 0, h, np.expm1(np.minimum(h, 0)))", "F.elu(h)"
    ),
    "softplus": Forms(
        operator("Softplus"),
        "np.log1p(np.exp(-abs(h))) + np.maximum(h, 0)",
        "torch.logaddexp(h, torch.zeros_like(h))",
    ),
    "gelu": Forms(operator("Gelu", approximate="none"), "gelu(h)", "F.gelu(h)", opset=20),
    "softmax": Forms(operator("Softmax", axis=1), "softmax(h)", "torch.softmax(h, 1)"),
}
