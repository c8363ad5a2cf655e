"""Activations and losses that are formulas: one text for NumPy, compiled code and exports."""

from __future__ import annotations

from nnrun.nn.activations.formula import FormulaActivation
from nnrun.nn.expression import Expression, FormulaError
from nnrun.nn.losses.formula import FormulaLoss

__all__ = ["Expression", "FormulaActivation", "FormulaError", "FormulaLoss"]
