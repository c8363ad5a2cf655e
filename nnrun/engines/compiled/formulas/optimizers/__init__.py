"""The optimizers' formulas, as source text: one source for generated functions and kernels.

Weight decay is not here, since its rounding differs between functions and kernels: kernels add it
to the product of gradient and clipping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from nnrun.nn.optimizers import Optimizer


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
    "adam": OptimizerFormula(
        update=(
            ("mean", "{mean} * {beta1} + {g} * {rest1}"),
            ("square", "{square} * {beta2} + {g} * {g} * {rest2}"),
            (
                "theta",
                "{theta} - {mean} / (sqrt({square}) / {square_part} + {epsilon}) * {mean_part}",
            ),
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
    ),
}


def formula_name(optimizer: Any) -> str:
    """The name of an optimizer's formula: its type, and the variant of SGD."""
    if optimizer.type != "sgd" or not optimizer.momentum:
        return str(optimizer.type)
    return "sgd_nesterov" if optimizer.nesterov else "sgd_momentum"


def weight_decay(optimizer: Optimizer) -> float:
    """λ, or 0 for an optimizer that has none."""
    return float(getattr(optimizer, "weight_decay", 0.0))


def is_plain(optimizer: Optimizer) -> bool:
    """Whether a step is θ ← θ - η g and nothing more."""
    return OPTIMIZERS.get(formula_name(optimizer)) is _PLAIN and not weight_decay(optimizer)
