"""The activations' formulas, as source text for compiled code and for exported models.

`POINTWISE` is the one source of generated functions and kernels, `EXPORTED` that of ONNX files and
of scripts for NumPy and PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.activations.elementwise import LeakyReLU
from nnrun.nn.formulas import FormulaActivation
from nnrun.tables import Extended


@dataclass(frozen=True)
class Pointwise:
    """f(x) of one number x, and dy · f'(x), which may use both x and y = f(x).

    Args:
        value: f(x).
        gradient: dy · f'(x).
        functions: names in `formulas.functions` that the text uses.
        keeps_zero: f(0) = 0, so that padding with zeros stays zero.
        rises: f is monotonic, never falling, so that it can be applied after a maximum.
        in_place: the gradient is the same with y in the place of x, so that x need not be kept.
    """

    value: str
    gradient: str
    functions: tuple[str, ...] = ()
    keeps_zero: bool = True
    rises: bool = True
    in_place: bool = True


def _of_plugin(name: str) -> Pointwise | None:
    """The formulas of an activation that is given by formulas."""
    activation = ACTIVATIONS.get(name)
    if activation is None or not issubclass(activation, FormulaActivation):
        return None
    f, df = activation.f, activation.df
    return Pointwise(
        f.compiled(),
        f"{{dy}} * {df.compiled()}",
        functions=tuple(sorted({*f.functions, *df.functions})),
        keeps_zero=False,
        rises=False,
        in_place=False,
    )


POINTWISE: Extended[Pointwise] = Extended(
    {
        "sigmoid": Pointwise(
            value="sigmoid({x})",
            gradient="{dy} * {y} * (one - {y})",
            functions=("sigmoid",),
            keeps_zero=False,
        ),
        "tanh": Pointwise(
            value="tanh({x})",
            gradient="{dy} * (one - {y} * {y})",
            functions=("tanh",),
        ),
        "relu": Pointwise(
            value="zero if {x} < zero else {x}",
            gradient="{dy} if {x} > zero else zero",
        ),
        "leaky_relu": Pointwise(
            value="{x} * real(0.01) if {x} < zero else {x}",
            gradient="{dy} if {x} > zero else {dy} * real(0.01)",
        ),
        "elu": Pointwise(
            value="elu({x})",
            gradient="{dy} if {x} > zero else {dy} * exp({x})",
            functions=("elu", "exp"),
            in_place=False,
        ),
        "softplus": Pointwise(
            value="softplus({x})",
            gradient="{dy} * sigmoid({x})",
            functions=("softplus", "sigmoid"),
            keeps_zero=False,
            in_place=False,
        ),
        "gelu": Pointwise(
            value="gelu({x})",
            gradient="{dy} * gelu_slope({x})",
            functions=("gelu", "gelu_slope"),
            rises=False,
            in_place=False,
        ),
    },
    _of_plugin,
)


class Operators(Protocol):
    """An ONNX graph under construction (`onnx.graph`), without importing ONNX."""

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append an operator, and return the name of its output."""


@dataclass(frozen=True)
class Forms:
    """One activation y = f(x) in exported models.

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


EXPORTED: dict[str, Forms] = {
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
