"""Adam: m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², θ ← θ - η m̂ / (sqrt(v̂) + ε)."""

from __future__ import annotations

from nnrun.engines.compiled.text import Text
from nnrun.nn.optimizers import Adam


def adam(p: Text, optimizer: Adam, size: int) -> list[str]:
    """Write the step; the state's arrays, by name, are returned."""
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    p.comment("adam, at step number `step` since the beginning")
    p.line("step = float(steps + k + 1)")
    p.line(f"mean_part = real(rates[k] / (1.0 - {beta1!r} ** step))")
    p.line(f"square_part = real(sqrt(1.0 - {beta2!r} ** step))")
    with p.loop("j", size):
        p.line("g = all_gradient[j]")
        if optimizer.weight_decay:
            p.line(f"g += all_theta[j] * real({optimizer.weight_decay!r})")
        p.line(f"m = mean[j] * real({beta1!r}) + g * real({1 - beta1!r})")
        p.line(f"v = square[j] * real({beta2!r}) + g * g * real({1 - beta2!r})")
        p.line("mean[j] = m")
        p.line("square[j] = v")
        epsilon = f"real({optimizer.epsilon!r})"
        p.line(f"all_theta[j] -= m / (sqrt(v) / square_part + {epsilon}) * mean_part")
    return ["mean", "square"]
