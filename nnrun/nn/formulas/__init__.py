"""Activations and losses that are formulas: one text for NumPy, compiled code and exports."""

from __future__ import annotations

from typing import Any, ClassVar

from nnrun.nn.activations.base import Activation
from nnrun.nn.formulas.expression import Expression, FormulaError
from nnrun.nn.losses.base import ElementwiseLoss
from nnrun.nn.signature import Array

__all__ = ["Expression", "FormulaActivation", "FormulaError", "FormulaLoss"]


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
        # Scripts have a `sigmoid` of their own.
        text = self.f.written(0, x="h").replace("softplus(", "np.logaddexp(0, ")
        return [f"h = {text}"]

    def to_pytorch(self, names: Any) -> list[str]:
        """The lines of a script."""
        return [f"h = {self.f.written(1, x='h')}"]


class FormulaLoss(ElementwiseLoss):
    """The mean over rows and outputs of a cost of one output y and its target t.

    A subclass sets `formula`, and `slope`, its derivative along y; compiled code uses the same
    texts, which are written as those of `FormulaActivation`:

        formula = "softplus(2 * (y - t)) - (y - t)"
        slope = "tanh(y - t)"

    Raises:
        FormulaError: a text has something else.
    """

    over_outputs = True
    formula: ClassVar[str] = ""
    slope: ClassVar[str] = ""
    cost: ClassVar[Expression]
    dcost: ClassVar[Expression]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.cost = Expression(cls.formula, ("y", "t"))
        cls.dcost = Expression(cls.slope, ("y", "t"))

    def costs(self, y: Array, target: Array) -> Array:
        return self.cost.numpy(y, target)

    def gradient(self, y: Array, target: Array) -> Array:
        dy: Array = self.dcost.numpy(y, target)
        return dy / y.size
