"""Activations and a loss that are given by formulas."""

from nnrun.nn.formulas import FormulaActivation, FormulaLoss
from nnrun.plugins import register


@register("activation", "bent")
class Bent(FormulaActivation):
    """f(x) = (sqrt(x² + 1) - 1) / 2 + x."""

    formula = "(sqrt(x * x + 1) - 1) / 2 + x"
    slope = "x / (2 * sqrt(x * x + 1)) + 1"


@register("activation", "swish")
class Swish(FormulaActivation):
    """f(x) = x σ(x)."""

    formula = "x * sigmoid(x)"
    slope = "sigmoid(x) + y * (1 - sigmoid(x))"


@register("activation", "odd")
class Odd(FormulaActivation):
    """All that a formula can have, where x is small, and two lines where it is large."""

    formula = (
        "max(x, 0.1 * x) if x > 0.5 else"
        " min(softplus(x), abs(x)) + exp(-x * x) + log(1 + x * x) + tanh(x)"
    )
    slope = (
        "(1 if x > 0.1 * x else 0.1) if x > 0.5 else"
        " (sigmoid(x) if softplus(x) < abs(x) else (1 if x > 0 else -1))"
        " - 2 * x * exp(-x * x) + 2 * x / (1 + x * x) + 1 - tanh(x) * tanh(x)"
    )


@register("loss", "log_cosh")
class LogCosh(FormulaLoss):
    """L = mean log cosh (y - t)."""

    formula = "softplus(2 * (y - t)) - (y - t) - 0.6931471805599453"
    slope = "tanh(y - t)"
