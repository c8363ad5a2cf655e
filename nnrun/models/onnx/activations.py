"""The activations as ONNX operators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nnrun.nn.activations.relu import LeakyReLU


@dataclass(frozen=True)
class Operator:
    """An operator with its attributes, and the operator set that first has it."""

    name: str
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 1


OPERATORS = {
    "linear": Operator("Identity"),
    "sigmoid": Operator("Sigmoid"),
    "tanh": Operator("Tanh"),
    "relu": Operator("Relu"),
    "leaky_relu": Operator("LeakyRelu", {"alpha": LeakyReLU.slope}),
    "elu": Operator("Elu", {"alpha": 1.0}),
    "softplus": Operator("Softplus"),
    "gelu": Operator("Gelu", {"approximate": "none"}, opset=20),
    "softmax": Operator("Softmax", {"axis": 1}),
}
