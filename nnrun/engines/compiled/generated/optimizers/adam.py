"""Adam's step, from its formulas."""

from __future__ import annotations

from decimal import Decimal

from nnrun.engines.compiled.formulas.optimizers.adam import MEAN, SQUARE, STEP
from nnrun.engines.compiled.generated.program import Program
from nnrun.nn.optimizers import Adam


def adam(p: Program, optimizer: Adam, size: int) -> list[str]:
    """Write the step; the state's arrays, by name, are returned."""
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    p.comment("adam, at step number `step` since the beginning")
    p.line("step = double(steps + k + 1)")
    p.line(f"mean_part = real(rates[k] / {_correction(p, beta1)})")
    p.line(f"square_part = real(1.0 / sqrt({_correction(p, beta2)}))")
    with p.loop("j", size):
        p.line("g = all_gradient[j]")
        if optimizer.weight_decay:
            p.line(f"g += all_theta[j] * real({optimizer.weight_decay!r})")
        settings = {
            "beta1": f"real({beta1!r})",
            "rest1": f"real({1 - beta1!r})",
            "beta2": f"real({beta2!r})",
            "rest2": f"real({1 - beta2!r})",
        }
        p.line(f"m = {MEAN.format(mean='mean[j]', g='g', **settings)}")
        p.line(f"v = {SQUARE.format(square='square[j]', g='g', **settings)}")
        p.line("mean[j] = m")
        p.line("square[j] = v")
        step = STEP.format(
            theta="all_theta[j]",
            mean="m",
            root="sqrt(v) * square_part",
            epsilon=f"real({optimizer.epsilon!r})",
            mean_part="mean_part",
        )
        p.line(f"all_theta[j] = {step}")
    return ["mean", "square"]


def logarithm(beta: float) -> float:
    """ln β to the last bit, which is not left to a C library."""
    return float(Decimal(beta).ln())


def _correction(p: Program, beta: float) -> str:
    """1 - βᵗ as 1 - exp(t ln β): a power would be the C library's."""
    if not beta:
        return "1.0"
    return f"{p.call('one_minus_exp', double=True)}(step * {logarithm(beta)!r})"
