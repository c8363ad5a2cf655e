"""Formulas of activations, losses and optimizers as source text, by name: one source for generated
functions and kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

from nnrun.nn.activations import ACTIVATIONS, HardTanh, Mish, SiLU, Square
from nnrun.nn.formulas import FormulaActivation, FormulaLoss
from nnrun.nn.losses import LOSSES as NN_LOSSES
from nnrun.nn.losses.weighted import unweighted
from nnrun.nn.optimizers import Optimizer
from nnrun.tables import Extended


@dataclass(frozen=True)
class Pointwise:
    """f(x) of one number x, and dy · f'(x), which may use both x and y = f(x).

    Args:
        value: f(x).
        gradient: dy · f'(x).
        functions: names in `engines.functions` that the text uses.
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
    return _by_formula(activation, keeps_zero=False, rises=False)


def _by_formula(
    activation: type[FormulaActivation], *, keeps_zero: bool = True, rises: bool = False
) -> Pointwise:
    f, df = activation.f, activation.df
    return Pointwise(
        f.compiled(),
        f"{{dy}} * {df.compiled()}",
        functions=tuple(sorted({*f.functions, *df.functions})),
        keeps_zero=keeps_zero,
        rises=rises,
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
        "silu": _by_formula(SiLU),
        "mish": _by_formula(Mish),
        "hard_tanh": _by_formula(HardTanh, rises=True),
        "square": _by_formula(Square),
    },
    _of_plugin,
)


# The losses' formulas, as source text: one source for generated functions and kernels.


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
        functions: what the text uses of `engines.functions`.
        settings: numbers of the loss (`Loss.setting`) that the text uses.
        target: what {t} is in the text.
    """

    value: str
    gradient: str
    output: str = "{y}"
    factor: float = 1.0
    over_outputs: bool = False
    functions: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    target: str = "{t}"

    def written(self, text: str, y: str, t: str, settings: dict[str, Any]) -> str:
        """One of the texts with these names in it."""
        t = self.target.format(t=t, **settings)
        error, output = f"({y} - {t})", self.output.format(y=y)
        return text.format(y=y, t=t, error=error, output=output, **settings)


_HUBER_SMALL = "min(abs({error}), {delta})"


def _loss_of_plugin(name: str) -> LossFormula | None:
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
        "pinball": LossFormula(
            value="max((one - {quantile}) * {error}, -{quantile} * {error})",
            gradient="((one - {quantile}) * scale if {error} > zero"
            " else (-{quantile} * scale if {error} < zero else {error}))",
            over_outputs=True,
            settings=("quantile",),
        ),
        "poisson": LossFormula(
            value="({error} + ({t} * log({t} / {y}) if {t} > zero else zero))",
            gradient="(one - ({t} / {y} if {t} > zero else zero)) * scale",
            over_outputs=True,
            functions=("log",),
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
    _loss_of_plugin,
)

_SMOOTHED = "({t} * {keep} + {share})"
SMOOTHED = {
    f"{name}_smoothed": replace(loss, target=_SMOOTHED, settings=("keep", "share"))
    for name, loss in LOSSES.items()
    if "cross_entropy" in name
}
"""Formulas of losses with label smoothing, by the names of their kernels."""


def loss_name(loss: Any) -> str:
    """The name of a loss's kernels: its type, and whether it smooths labels."""
    smooth = getattr(unweighted(loss), "label_smoothing", 0)
    return f"{loss.type}_smoothed" if smooth else str(loss.type)


def loss_formula(loss: Any) -> LossFormula:
    """The formula of a loss."""
    return SMOOTHED.get(loss_name(loss)) or LOSSES[loss.type]


# The optimizers' formulas, as source text: one source for generated functions and kernels.
#
# Weight decay is not here, since its rounding differs between functions and kernels: kernels add it
# to the product of gradient and clipping.


@dataclass(frozen=True)
class Correction:
    """A number of step t: η / (1 - βᵗ), or √(1 - βᵗ) as the `root`.

    Kernels divide by roots where the text says so; functions multiply by their inverses.

    Args:
        beta: the optimizer's attribute.
        root: which of the two it is.
    """

    beta: str
    root: bool = False


@dataclass(frozen=True)
class OptimizerFormula:
    """One step of one parameter, as assignments.

    In the text {theta} is the parameter, {g} its gradient with weight decay, {rate} the learning
    rate; arrays of the optimizer's state, settings, corrections and what was assigned before have
    their names.

    Args:
        update: names and the text of their values, in order; the last is theta.
        state: arrays of the optimizer's state; the text assigns their new values.
        settings: numbers that depend on the optimizer alone.
        corrections: numbers that change from step to step.
    """

    update: tuple[tuple[str, str], ...]
    state: tuple[str, ...] = ()
    settings: Mapping[str, Callable[[Any], float]] = field(default_factory=dict)
    corrections: Mapping[str, Correction] = field(default_factory=dict)

    def numbers(self, optimizer: Optimizer) -> dict[str, float]:
        """The settings of an optimizer."""
        return {name: float(of(optimizer)) for name, of in self.settings.items()}


_VELOCITY = ("velocity", "{momentum} * {velocity} + {g}")
_MOMENTUM = {"momentum": attrgetter("momentum")}

_PLAIN = OptimizerFormula(update=(("theta", "{theta} - {rate} * {g}"),))

_ADAM_STEP = "{mean} / (sqrt({square}) / {square_part} + {epsilon}) * {mean_part}"
_ADAM = OptimizerFormula(
    update=(
        ("mean", "{mean} * {beta1} + {g} * {rest1}"),
        ("square", "{square} * {beta2} + {g} * {g} * {rest2}"),
        ("theta", f"{{theta}} - {_ADAM_STEP}"),
    ),
    state=("mean", "square"),
    settings={
        "beta1": attrgetter("beta1"),
        "rest1": lambda optimizer: 1 - optimizer.beta1,
        "beta2": attrgetter("beta2"),
        "rest2": lambda optimizer: 1 - optimizer.beta2,
        "epsilon": attrgetter("epsilon"),
    },
    corrections={"mean_part": Correction("beta1"), "square_part": Correction("beta2", True)},
)

_RMS = ("square", "{square} * {beta} + {g} * {g} * {rest}")
_RMS_STEP = "{g} / (sqrt({square}) + {epsilon})"
_RMS_SETTINGS: dict[str, Callable[[Any], float]] = {
    "beta": attrgetter("beta"),
    "rest": lambda optimizer: 1 - optimizer.beta,
    "epsilon": attrgetter("epsilon"),
}

OPTIMIZERS = {
    "sgd": _PLAIN,
    "sgd_momentum": OptimizerFormula(
        update=(_VELOCITY, ("theta", "{theta} - {rate} * {velocity}")),
        state=("velocity",),
        settings=_MOMENTUM,
    ),
    "sgd_nesterov": OptimizerFormula(
        update=(
            _VELOCITY,
            ("ahead", "{g} + {momentum} * {velocity}"),
            ("theta", "{theta} - {rate} * {ahead}"),
        ),
        state=("velocity",),
        settings=_MOMENTUM,
    ),
    "adam": _ADAM,
    "adamw": replace(
        _ADAM,
        update=(
            *_ADAM.update[:-1],
            ("theta", f"{{theta}} - {{theta}} * ({{rate}} * {{decay}}) - {_ADAM_STEP}"),
        ),
        settings={**_ADAM.settings, "decay": attrgetter("weight_decay")},
    ),
    "rmsprop": OptimizerFormula(
        update=(_RMS, ("theta", f"{{theta}} - {{rate}} * ({_RMS_STEP})")),
        state=("square",),
        settings=_RMS_SETTINGS,
    ),
    "rmsprop_momentum": OptimizerFormula(
        update=(
            _RMS,
            ("velocity", f"{{momentum}} * {{velocity}} + {_RMS_STEP}"),
            ("theta", "{theta} - {rate} * {velocity}"),
        ),
        state=("square", "velocity"),
        settings={**_RMS_SETTINGS, **_MOMENTUM},
    ),
}


def formula_name(optimizer: Any) -> str:
    """The name of an optimizer's formula: its type, and which momentum it has, if any."""
    if not getattr(optimizer, "momentum", 0):
        return str(optimizer.type)
    variant = "nesterov" if getattr(optimizer, "nesterov", False) else "momentum"
    return f"{optimizer.type}_{variant}"


def weight_decay(optimizer: Optimizer) -> float:
    """λ of λ θ that is added to the gradient, or 0 for an optimizer without it."""
    return 0.0 if optimizer.decoupled else float(getattr(optimizer, "weight_decay", 0.0))


def is_plain(optimizer: Optimizer) -> bool:
    """Whether a step is θ ← θ - η g and nothing more."""
    return OPTIMIZERS.get(formula_name(optimizer)) is _PLAIN and not weight_decay(optimizer)
