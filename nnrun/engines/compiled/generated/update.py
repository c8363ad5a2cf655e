"""The update as source text: L2 penalty, clipping, the optimizer's step on all parameters together.

The penalty is α / 2 · Σ w² / rows, and its gradient α w / rows.
"""

from __future__ import annotations

from decimal import Decimal

from nnrun.engines.clipping import UNITS
from nnrun.engines.compiled.formulas.optimizers import (
    OPTIMIZERS,
    OptimizerFormula,
    formula_name,
    weight_decay,
)
from nnrun.engines.compiled.generated.program import Program
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer


def step(p: Program, optimizer: Optimizer, size: int) -> tuple[str, ...]:
    """Write the optimizer's step by its formula; the state's arrays, by name, are returned."""
    formula = OPTIMIZERS[formula_name(optimizer)]
    p.comment(optimizer.type)
    known = {name: f"real({value!r})" for name, value in formula.numbers(optimizer).items()}
    known |= _corrections(p, formula, optimizer)
    known |= {name: f"{name}[j]" for name in formula.state}
    known |= {"g": "g", "theta": "all_theta[j]", "rate": "rate"}
    with p.loop("j", size):
        p.line("g = all_gradient[j]")
        if weight_decay(optimizer):
            p.line(f"g += all_theta[j] * real({weight_decay(optimizer)!r})")
        for name, text in formula.update:
            value = _with_inverses(formula, text).format(**known)
            known[name] = "all_theta[j]" if name == "theta" else f"new_{name}"
            p.line(f"{known[name]} = {value}")
        for name in formula.state:
            p.line(f"{name}[j] = new_{name}")
    return formula.state


def _corrections(p: Program, formula: OptimizerFormula, optimizer: Optimizer) -> dict[str, str]:
    """Write the corrections of step number `step` since the beginning; their names."""
    if formula.corrections:
        p.line("step = double(steps + k + 1)")
    for name, correction in formula.corrections.items():
        rest = _rest(p, getattr(optimizer, correction.beta))
        value = f"1.0 / sqrt({rest})" if correction.root else f"rates[k] / {rest}"
        p.line(f"{name} = real({value})")
    return {name: name for name in formula.corrections}


def _with_inverses(formula: OptimizerFormula, text: str) -> str:
    """The text with products by the inverses of roots."""
    for name, correction in formula.corrections.items():
        if correction.root:
            text = text.replace(f"/ {{{name}}}", f"* {{{name}}}")
    return text


def logarithm(beta: float) -> float:
    """ln β to the last bit, which is not left to a C library."""
    return float(Decimal(beta).ln())


def _rest(p: Program, beta: float) -> str:
    """1 - βᵗ as 1 - exp(t ln β): a power would be the C library's."""
    if not beta:
        return "1.0"
    return f"{p.call('one_minus_exp', double=True)}(step * {logarithm(beta)!r})"


def clip(p: Program, limit: float, size: int, lanes: int) -> None:
    """A gradient longer than the limit is scaled down to it; `squares` holds its square's parts.

    A sum of squares that overflows or is lost to underflow is computed again in another unit
    (`engines/clipping.py`).
    """
    units = UNITS[p.dtype.name]
    p.comment(f"clip the gradient to a length of {limit}")
    _sum_squares(p, "all_gradient[i + j]", size, lanes)
    p.line("shrunk = one")
    with p.block(f"if total > {units.most!r}:"):
        p.line(f"shrunk = real({1 / units.large!r})")
    with p.block(f"if total < {units.least!r}:"):
        p.line(f"shrunk = real({1 / units.small!r})")
    with p.block("if shrunk != one:"):
        _sum_squares(p, "all_gradient[i + j] * shrunk", size, lanes)
    p.line("norm = sqrt(total)")
    with p.block(f"if norm > {limit!r} * double(shrunk):"):
        p.line(f"factor = real({limit!r} / norm)")
        with p.loop("j", size):
            p.line("all_gradient[j] = all_gradient[j] * shrunk * factor")


def _sum_squares(p: Program, number: str, size: int, lanes: int) -> None:
    """Σ number² over the gradient, as `total`."""
    with p.loop("j", lanes):
        p.line("squares[j] = zero")
    with p.loop("i", 0, size, lanes), p.loop("j", lanes):
        p.line(f"g = {number}")
        p.line("squares[j] += g * g")
    p.line("total = double(0)")
    with p.loop("j", lanes):
        p.line("total += double(squares[j])")


def penalise(p: Program, network: Network, *, losses: bool) -> None:
    """Add the penalty's gradient to the batch's and, with `losses`, the penalty to the loss."""
    if network.penalty is None:
        return
    extents = [p.extent(weight) for weight in network.weights]
    p.comment("L2 penalty")
    p.line(f"shrink = real({network.penalty.alpha!r} / double(n))")
    for start, size in extents:
        with p.loop("j", start, start + size):
            p.line("all_gradient[j] += all_theta[j] * shrink")
    if not losses:
        return
    p.array("weights", (p.lanes,))
    with p.loop("j", p.lanes):
        p.line("weights[j] = zero")
    for start, size in extents:
        with p.loop("i", start, start + size, p.lanes), p.loop("j", p.lanes):
            p.line("weights[j] += all_theta[i + j] * all_theta[i + j]")
    p.line("cost_of_weights = double(0)")
    with p.loop("j", p.lanes):
        p.line("cost_of_weights += double(weights[j])")
    p.line(f"losses[k] += cost_of_weights * {network.penalty.alpha / 2!r} / double(n)")
