"""Activations and losses that are formulas: one text for NumPy, compiled code and exports."""

from __future__ import annotations

from nnrun.nn.formulas.activation import FormulaActivation
from nnrun.nn.formulas.expression import Expression, FormulaError
from nnrun.nn.formulas.loss import FormulaLoss

__all__ = ["Expression", "FormulaActivation", "FormulaError", "FormulaLoss"]
