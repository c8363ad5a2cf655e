"""How layers, activations and steps of preprocessing are exported: tables by type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from nnrun.data.steps import Scaler
from nnrun.errors import UsageError
from nnrun.nn.activations.elementwise import LeakyReLU
from nnrun.nn.activations.formula import (
    FormulaActivation,
    HardTanh,
    Mish,
    SiLU,
    Square,
    script_text,
)
from nnrun.nn.layer import Layer
from nnrun.plugins.loading import find
from nnrun.plugins.part import Part

Emitter = TypeVar("Emitter")


@dataclass(frozen=True)
class Emitters(Generic[Emitter]):
    """The emitters of one type of layer or step, by the library that a script uses."""

    numpy: Emitter
    pytorch: Emitter


def emitter_of(emitters: Mapping[str, Emitter], name: str, target: str) -> Emitter:
    """The emitter of a type of layer or step.

    `target` is what is written, for the error: `ONNX` or `a script`.

    Raises:
        UsageError: there is none.
    """
    if name not in emitters:
        known = ", ".join(sorted(emitters))
        raise UsageError(f"'{name}' cannot be exported as {target}; these can: {known}")
    return emitters[name]


def own_form(layer: Layer, library: str) -> Callable[..., Any] | None:
    """The method by which a layer of a plugin writes itself, `to_onnx` for ONNX; None without.

    Raises:
        UsageError: it is a layer of a plugin without this method.
    """
    part = find("layer", layer.type) or find("activation", layer.type)
    return _form(layer, part, library)


def own_form_of_step(step: Any, library: str) -> Callable[..., Any] | None:
    """Likewise of a step of preprocessing; None for scalers, too, which are all written alike."""
    return None if is_scaler(step) else _form(step, find("step", step.name), library)


def is_scaler(step: Any) -> bool:
    """Whether the step is (x - shift) / scale, as also a plugin's class derived from `Scaler`."""
    return isinstance(step, Scaler) and type(step).apply is Scaler.apply


def _form(entry: Any, part: Part | None, library: str) -> Callable[..., Any] | None:
    method = f"to_{library}"
    found: Callable[..., Any] | None = getattr(entry, method, None)
    if found is None and part is not None:
        message = f"{part.title} cannot be exported so: it has no method '{method}'"
        raise UsageError(f"{message}; `nnrun help plugins` shows one")
    return found


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


def _by_formula(activation: type[FormulaActivation], graph: Operators, x: str) -> str:
    return activation.f.onnx(graph, x=x)


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
    "mish": Forms(partial(_by_formula, Mish), "mish(h)", "F.mish(h)"),
    **{
        cls.type: Forms(partial(_by_formula, cls), script_text(cls.f), cls.f.written(1, x="h"))
        for cls in (SiLU, HardTanh, Square)
    },
}
