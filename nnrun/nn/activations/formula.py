"""Activations that are formulas: one text for NumPy, compiled code and exports."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from nnrun.nn.activations.base import Activation
from nnrun.nn.expression import Expression
from nnrun.nn.signature import Array


class FormulaActivation(Activation):
    """y = f(x), from texts of f(x) and f'(x); compiled code and exports use the same texts.

    A subclass sets `formula`, of x, and `slope`, of x and y = f(x):

        formula = "x * sigmoid(x)"
        slope = "sigmoid(x) + y * (1 - sigmoid(x))"

    There are + - * /, comparisons, `a if x < 0 else b`, min, max, exp, log, tanh, sigmoid,
    softplus, sqrt and abs.

    Raises:
        FormulaError: a text has something else.
    """

    formula: ClassVar[str] = ""
    slope: ClassVar[str] = ""
    f: ClassVar[Expression]
    df: ClassVar[Expression]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.f = Expression(cls.formula, ("x",))
        cls.df = Expression(cls.slope, ("x", "y"))

    def value(self, x: Array, y: Array) -> None:
        y[...] = self.f.numpy(x)

    def gradient(self, dy: Array, x: Array, y: Array, dx: Array) -> None:
        dx[...] = dy * self.df.numpy(x, y)

    def to_onnx(self, graph: Any, names: Any, x: str) -> str:
        """Append the operators of f(x)."""
        return self.f.onnx(graph, x=x)

    def to_numpy(self, names: Any) -> list[str]:
        """The lines of a script."""
        return [f"h = {script_text(self.f)}"]

    def to_pytorch(self, names: Any) -> list[str]:
        """The lines of a script."""
        return [f"h = {self.f.written(1, x='h')}"]


def script_text(f: Expression) -> str:
    """The formula of `h` in a NumPy script, with the bits of `f.numpy`; scripts have `sigmoid`."""
    softplus = r"(np.log1p(np.exp(-np.abs(\1))) + np.maximum(\1, 0))"
    return re.sub(r"softplus\((\w+)\)", softplus, f.written(0, x="h"))


# sigmoid(x) that reaches 0 far left, where x times the clipped one would not.
_SIGMOID = "(exp(min(x, 0)) / (1 + exp(-abs(x))))"
# tanh(softplus(x)) = n / (n + 2) with n = eˣ (eˣ + 2); it is 1 from x = 20 on.
_EXP = "exp(min(x, 20))"
_TANH = f"({_EXP} * ({_EXP} + 2) / ({_EXP} * ({_EXP} + 2) + 2))"


class SiLU(FormulaActivation):
    """f(x) = x σ(x), f'(x) = σ(x) + f(x) (1 - σ(x)), with σ = sigmoid; also called swish.

    Elfwing, Uchibe and Doya, Neural Networks 107 (2018).
    """

    type = "silu"
    keeps_slope = True
    formula = f"x * {_SIGMOID}"
    slope = f"{_SIGMOID} + y * (1 - {_SIGMOID})"


class Mish(FormulaActivation):
    """f(x) = x t with t = tanh(softplus(x)), f'(x) = t + x σ(x) (1 - t²). Misra, BMVC 2020."""

    type = "mish"
    keeps_slope = True
    formula = f"x * {_TANH}"
    slope = f"{_TANH} + x * {_SIGMOID} * (1 - {_TANH} * {_TANH})"

    def to_numpy(self, names: Any) -> list[str]:
        """A function of the script, since the formula is long."""
        return ["h = mish(h)"]

    def to_pytorch(self, names: Any) -> list[str]:
        return ["h = F.mish(h)"]


class HardTanh(FormulaActivation):
    """f(x) = x between -1 and 1, else the nearer of both; f'(x) = 1 between them, else 0."""

    type = "hard_tanh"
    formula = "-1 if x < -1 else (1 if x > 1 else x)"
    slope = "0 if x <= -1 else (0 if x >= 1 else 1)"


class Square(FormulaActivation):
    """f(x) = x², f'(x) = 2 x: networks that learn modular addition (Gromov, arXiv:2301.02679)."""

    type = "square"
    formula = "x * x"
    slope = "x + x"
