"""Stochastic gradient descent: θ ← θ - η g, with momentum v ← μ v + g, θ ← θ - η v."""

from __future__ import annotations

from nnrun.engines.compiled.generated.program import Program
from nnrun.nn.optimizers import SGD, Optimizer


def plain(optimizer: Optimizer) -> bool:
    """Whether a step is θ ← θ - η g and nothing more."""
    return (
        isinstance(optimizer, SGD) and optimizer.momentum == 0.0 and optimizer.weight_decay == 0.0
    )


def sgd(p: Program, optimizer: SGD, size: int) -> list[str]:
    """Write the step; the state's arrays, by name, are returned."""
    p.comment("sgd")
    with p.loop("j", size):
        p.line("g = all_gradient[j]")
        if optimizer.weight_decay:
            p.line(f"g += all_theta[j] * real({optimizer.weight_decay!r})")
        if optimizer.momentum:
            momentum = f"real({optimizer.momentum!r})"
            p.line(f"v = {momentum} * velocity[j] + g")
            p.line("velocity[j] = v")
            p.line(f"g = g + {momentum} * v" if optimizer.nesterov else "g = v")
        p.line("all_theta[j] -= rate * g")
    return ["velocity"] if optimizer.momentum else []
