"""The L2 penalty in generated code: α / 2 · Σ w² / rows, and its gradient α w / rows."""

from __future__ import annotations

from nnrun.engines.compiled.generated.program import Program
from nnrun.nn.network import Network


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
