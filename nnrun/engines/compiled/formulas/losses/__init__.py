"""The losses' formulas, as source text: one source for generated functions and kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nnrun.nn.formulas import FormulaLoss
from nnrun.nn.losses import LOSSES as NN_LOSSES
from nnrun.tables import Extended


@dataclass(frozen=True)
class LossFormula:
    """What one output adds to the loss of its row, and dL/dy of that output.

    In the text {y} is the output, {t} its target, {error} their difference and {output} what the
    network puts out; an attribute of the loss, such as {delta}, is a setting.

    Args:
        value: of one output; a row's loss is the sum of these, or their mean (`over_outputs`).
        gradient: of the mean over the rows of the batch, with `scale`, which is `factor` / rows,
            or `factor` / (rows · outputs).
        output: what the network puts out, where y are logits.
        factor: that all gradients have.
        over_outputs: whether the loss is a mean over the outputs of a row, and not their sum.
        functions: what the text uses of `formulas.functions`.
        settings: attributes of the loss that the text uses.
    """

    value: str
    gradient: str
    output: str = "{y}"
    factor: float = 1.0
    over_outputs: bool = False
    functions: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def written(self, text: str, y: str, t: str, settings: dict[str, Any]) -> str:
        """One of the texts with these names in it."""
        error, output = f"({y} - {t})", self.output.format(y=y)
        return text.format(y=y, t=t, error=error, output=output, **settings)


_HUBER_SMALL = "min(abs({error}), {delta})"


def _of_plugin(name: str) -> LossFormula | None:
    """The formulas of a loss that is given by formulas."""
    loss = NN_LOSSES.get(name)
    if loss is None or not issubclass(loss, FormulaLoss):
        return None
    return LossFormula(
        loss.cost.compiled(),
        f"{loss.dcost.compiled()} * scale",
        over_outputs=True,
        functions=tuple(sorted({*loss.cost.functions, *loss.dcost.functions})),
    )


LOSSES: Extended[LossFormula] = Extended(
    {
        "mean_squared": LossFormula(
            value="{error} * {error}",
            gradient="{error} * scale",
            factor=2.0,
            over_outputs=True,
        ),
        "mean_absolute": LossFormula(
            value="abs({error})",
            gradient="(scale if {error} > zero else (-scale if {error} < zero else {error}))",
            over_outputs=True,
        ),
        "huber": LossFormula(
            value=f"{_HUBER_SMALL} * (abs({{error}}) - real(0.5) * {_HUBER_SMALL})",
            gradient="max(min({error}, {delta}), -{delta}) * scale",
            over_outputs=True,
            settings=("delta",),
        ),
        "cross_entropy": LossFormula(
            value="(-{t} * log({y}) if {t} > zero else zero)",
            gradient="({t} / {y} * scale if {t} > zero else zero)",
            factor=-1.0,
            functions=("log",),
        ),
        # The gradient is in two parts, so that certainty (p = t = 0 or 1) keeps its slope of ±1.
        "binary_cross_entropy": LossFormula(
            value="((-{t} * log({y}) if {t} > zero else zero)"
            " - ((one - {t}) * log1m({y}) if {t} < one else zero))",
            gradient="(((one - {t}) / (one - {y}) if {t} < one else zero)"
            " - ({t} / {y} if {t} > zero else zero)) * scale",
            functions=("log", "log1m"),
        ),
        # From logits: log p = y - largest - log_total, with the logarithm of Σ exp(y - largest).
        "softmax_cross_entropy": LossFormula(
            value="{t} * (log_total - ({y} - largest))",
            gradient="({output} - {t}) * scale",
        ),
        # log1p comes last: added to a large logit, it would lose its digits.
        "sigmoid_binary_cross_entropy": LossFormula(
            value="((({y} if {y} > zero else zero) - {y} * {t}) + log1p(exp(-abs({y}))))",
            gradient="({output} - {t}) * scale",
            output="sigmoid({y})",
            functions=("exp", "log1p", "sigmoid"),
        ),
    },
    _of_plugin,
)
