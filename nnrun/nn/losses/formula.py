"""Losses that are formulas: one text for NumPy and compiled code."""

from __future__ import annotations

from typing import Any, ClassVar

from nnrun.nn.expression import Expression
from nnrun.nn.losses.base import ElementwiseLoss
from nnrun.nn.signature import Array


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
