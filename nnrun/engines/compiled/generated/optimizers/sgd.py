"""The step of stochastic gradient descent, from its formulas."""

from __future__ import annotations

from nnrun.engines.compiled.formulas.optimizers.sgd import NESTEROV, STEP, VELOCITY
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
            p.line(f"v = {VELOCITY.format(momentum=momentum, velocity='velocity[j]', g='g')}")
            p.line("velocity[j] = v")
            ahead = NESTEROV.format(momentum=momentum, velocity="v", g="g")
            p.line(f"g = {ahead if optimizer.nesterov else 'v'}")
        p.line(f"all_theta[j] = {STEP.format(theta='all_theta[j]', rate='rate', g='g')}")
    return ["velocity"] if optimizer.momentum else []
