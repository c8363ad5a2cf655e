"""Mathematics of one number at a time, for kernels and generated functions alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import factorial, log, pi, sqrt
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import numpy as np

from nnrun.compiler.code import bits, from_bits
from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.formulas import FormulaActivation, FormulaLoss
from nnrun.nn.losses import LOSSES as NN_LOSSES
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.special import CENTRE, SCALED_ERFC
from nnrun.tables import Extended

# All elementary functions by name, for one dtype; `exponential` has some of them.

# exp and functions of it, written so that LLVM vectorises loops over them.
#
# Everything hangs on exp(x) = 2ⁿ exp(r) with n = round(x / ln 2) and |r| ≤ ln 2 / 2. Adding and
# taking off 1.5 · 2⁵² (2²³ in float32) rounds to an integer, and leaves that integer in the lowest
# bits of the sum, from where a shift takes it into the exponent of a number: no conversion to an
# integer, which AVX2 lacks for doubles.
#
# Comparisons are written such that NaN goes in and out of every function.


@cache
def exponentials(dtype: str) -> SimpleNamespace:
    """exp, exp_nonpositive, expm1, tanh, sigmoid, elu for float64 or float32."""
    real: Any = np.dtype(dtype).type
    double = dtype == "float64"
    zero, one, half, two = real(0), real(1), real(0.5), real(2)
    magic = real(1.5 * 2.0 ** (52 if double else 23))
    integer: Any = np.int64 if double else np.int32
    exponent, unit = (
        (integer(52), integer(1023 << 52)) if double else (integer(23), integer(127 << 23))
    )
    log2_e = real(1.4426950408889634)
    # ln 2 in two parts; the first has so few digits that n times it is exact.
    ln2_high = real(6.93147180369123816490e-01 if double else 0.693359375)
    ln2_low = real(1.90821492927058770002e-10 if double else -2.12194440e-4)
    lowest, highest = (real(-746), real(710)) if double else (real(-104), real(89))
    flat, edge = (real(20), real(709)) if double else (real(10), real(88))
    deepest = real(log(np.finfo(dtype).smallest_normal))
    tail = _tail(dtype)

    def exp(x: Any) -> Any:
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        n = (x * log2_e + magic) - magic
        r = (x - n * ln2_high) - n * ln2_low
        # 2ⁿ in two factors, since the product may be a denormal or infinite.
        first = n * half + magic
        second = (n - (first - magic)) + magic
        scale = from_bits(integer((bits(first) << exponent) + unit))
        rest = from_bits(integer((bits(second) << exponent) + unit))
        return (one + (r + r * r * tail(r))) * scale * rest

    def parts(x: Any) -> Any:
        """2ⁿ, and exp(r) - 1, where 2ⁿ needs no second factor."""
        shifted = x * log2_e + magic
        n = shifted - magic
        r = (x - n * ln2_high) - n * ln2_low
        return from_bits(integer((bits(shifted) << exponent) + unit)), r + r * r * tail(r)

    def exp_nonpositive(x: Any) -> Any:
        """exp(x) for x ≤ 0, with nothing before the power that would take time: a softmax waits.

        Results below the normal numbers are 0, which changes no softmax: its sum has a term of 1.
        """
        scale, grown = parts(x)
        value = scale + scale * grown
        return zero if x < deepest else value

    def expm1(x: Any) -> Any:
        """exp(x) - 1 for |x| ≤ 60, without cancellation."""
        scale, grown = parts(x)
        return scale * grown + (scale - one)

    def tanh(x: Any) -> Any:
        x = -flat if x < -flat else x
        x = flat if x > flat else x
        e = expm1(x + x)
        return e / (e + two)

    def sigmoid(x: Any) -> Any:
        held = edge if -x > edge else -x
        held = -edge if held < -edge else held
        # Within ± edge 2ⁿ needs no second factor: where it is lost, so is the sum's digit.
        scale, grown = parts(held)
        return one / (one + (scale + scale * grown))

    def elu(x: Any) -> Any:
        held = -two * flat if x < -two * flat else x
        held = zero if held > zero else held
        return x if x > zero else expm1(held)

    return SimpleNamespace(
        exp=exp,
        exp_nonpositive=exp_nonpositive,
        expm1=expm1,
        tanh=tanh,
        sigmoid=sigmoid,
        elu=elu,
    )


def _tail(dtype: str) -> Any:
    """(exp(r) - 1 - r) / r² by Taylor's series, summed in pairs for a short chain."""
    real: Any = np.dtype(dtype).type
    c = tuple(real(1 / factorial(k)) for k in range(14))

    def long(r: Any) -> Any:
        r2 = r * r
        r4 = r2 * r2
        low = (c[2] + c[3] * r) + (c[4] + c[5] * r) * r2
        middle = (c[6] + c[7] * r) + (c[8] + c[9] * r) * r2
        high = (c[10] + c[11] * r) + (c[12] + c[13] * r) * r2
        return low + (middle + high * r4) * r4

    def short(r: Any) -> Any:
        """What is left out is a fifth of float32's last digit at most."""
        r2 = r * r
        low = (c[2] + c[3] * r) + (c[4] + c[5] * r) * r2
        return low + (c[6] + c[7] * r) * (r2 * r2)

    return long if dtype == "float64" else short


@cache
def functions(dtype: str) -> SimpleNamespace:
    """Those of `exponentials` and `logarithms`, one_minus_exp, softplus and gelu with its slope."""
    return SimpleNamespace(
        **vars(exponentials(dtype)),
        **vars(logarithms(dtype)),
        **vars(_decay(dtype)),
        **vars(_softplus(dtype)),
        **vars(_gelu(dtype)),
    )


def _decay(dtype: str) -> SimpleNamespace:
    real: Any = np.dtype(dtype).type
    lowest = real(-40)
    expm1 = exponentials(dtype).expm1

    def one_minus_exp(x: Any) -> Any:
        """1 - exp(x) for x ≤ 0, without cancellation."""
        return -expm1(lowest if x < lowest else x)

    return SimpleNamespace(one_minus_exp=one_minus_exp)


def _softplus(dtype: str) -> SimpleNamespace:
    real: Any = np.dtype(dtype).type
    zero, two = real(0), real(2)
    exp = exponentials(dtype).exp
    # 1/3, 1/5, …: the series of artanh after its first term, for arguments up to 1/3.
    c = tuple(real(1 / k) for k in range(3, 37, 2))

    def log1p(u: Any) -> Any:
        """log(1 + u) for 0 ≤ u ≤ 1: 2 artanh(s) with s = u / (2 + u)."""
        s = u / (two + u)
        q = s * s
        series = c[16]
        for k in range(15, -1, -1):
            series = series * q + c[k]
        return two * s + two * s * (q * series)

    def softplus(x: Any) -> Any:
        positive = zero if x < zero else x
        return positive + log1p(exp(-abs(x)))

    return SimpleNamespace(log1p=log1p, softplus=softplus)


def _gelu(dtype: str) -> SimpleNamespace:
    real: Any = np.dtype(dtype).type
    zero, one, half = real(0), real(1), real(0.5)
    exp = exponentials(dtype).exp
    c = tuple(real(term) for term in SCALED_ERFC)
    centre, farthest, sixteen = real(CENTRE), real(64), real(16)
    magic = real(1.5 * 2.0 ** (52 if dtype == "float64" else 23))
    root_half, root_2pi = real(sqrt(0.5)), real(1 / sqrt(2 * pi))

    def normal_cdf(x: Any) -> Any:
        """Φ(x) from exp(z²) erfc(z), a Chebyshev series summed by Clenshaw's rule."""
        size = abs(x)
        size = farthest if size > farthest else size
        z = size * root_half
        u = (z - centre) / (z + centre)
        later, last = zero, zero
        for k in range(24, 0, -1):
            later, last = c[k] + (u + u) * later - last, later
        # The square of a rounded number would cost digits; that of s is exact.
        s = ((size * sixteen + magic) - magic) / sixteen
        gauss = exp(-half * s * s) * exp(-half * (size - s) * (size + s))
        below = half * gauss * (c[0] + u * later - last)
        return below if x < zero else one - below

    def gelu(x: Any) -> Any:
        return x * normal_cdf(x)

    def gelu_slope(x: Any) -> Any:
        """The derivative, Φ(x) + x φ(x)."""
        return normal_cdf(x) + x * root_2pi * exp(-half * x * x)

    return SimpleNamespace(normal_cdf=normal_cdf, gelu=gelu, gelu_slope=gelu_slope)


@cache
def logarithms(dtype: str) -> SimpleNamespace:
    """log and log1m, which is log(1 - x) for 0 ≤ x ≤ 1, for float64 or float32.

    x = 2ᵏ m with m in [√½, √2), from the bits of x; then log x = k ln 2 + log m, where log m is
    2 artanh(s) = f - s (f - r), s = f / (2 + f), f = m - 1, arranged such that f, which is exact,
    is added last. The integer k becomes a number by way of the bits of 2⁵² (2²³ in float32), as
    in `exponential`. LLVM vectorises loops over it.
    """
    real: Any = np.dtype(dtype).type
    double = dtype == "float64"
    zero, one, two, half = real(0), real(1), real(2), real(0.5)
    infinity = real(np.inf)
    integer: Any = np.int64 if double else np.int32
    width = integer(52 if double else 23)
    bias = integer(1023 if double else 127)
    # Added to the bits of x, it carries into the exponent where m would be √2 or more.
    root = integer(np.asarray(sqrt(0.5), dtype).view(integer))
    carry = integer(np.asarray(1, dtype).view(integer) - root)
    mantissa = integer((1 << int(width)) - 1)
    whole = real(2.0 ** int(width))
    whole_bits = integer(np.asarray(whole).view(integer))
    smallest = np.finfo(dtype).smallest_normal
    lift = real(2.0 ** (int(width) + 2))
    lifted = real(int(width) + 2)
    # ln 2 in two parts; the first has so few digits that k times it is exact.
    ln2_high = real(6.93147180369123816490e-01 if double else 0.693359375)
    ln2_low = real(1.90821492927058770002e-10 if double else -2.12194440e-4)
    # 2 artanh(s) - 2 s = s (c₀ s² + c₁ s⁴ + …), |s| < 0.172.
    c = tuple(real(2 / (2 * k + 3)) for k in range(10 if double else 5))

    def log(x: Any) -> Any:
        denormal = x < smallest
        held = x * lift if denormal else x
        places = integer(bits(held) + carry)
        exponent = from_bits(integer(integer(places >> width) + whole_bits)) - whole
        k = exponent - real(bias) - (lifted if denormal else zero)
        f = from_bits(integer(integer(places & mantissa) + root)) - one
        s = f / (two + f)
        q = s * s
        series = c[-1]
        for n in range(len(c) - 2, -1, -1):
            series = series * q + c[n]
        squared = half * f * f
        small = s * (squared + q * series) + k * ln2_low
        y = k * ln2_high - ((squared - small) - f)
        y = x if x == infinity else y
        y = -infinity if x == zero else y
        return y if x >= zero else (x - x) / zero

    def log1m(x: Any) -> Any:
        """The digits that 1 - x has lost come back to first order."""
        rest = one - x
        lost = (one - rest) - x
        return log(rest) + (lost / rest if rest > zero else zero)

    return SimpleNamespace(log=log, log1m=log1m)


# Formulas of activations, losses and optimizers as source text, by name: one source for generated
# functions and kernels.


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
