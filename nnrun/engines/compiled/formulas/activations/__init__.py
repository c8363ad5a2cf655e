"""The activations' formulas, as source text: one source for generated functions and kernels."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.nn.activations import ACTIVATIONS
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
