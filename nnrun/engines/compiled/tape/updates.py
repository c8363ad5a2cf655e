"""The optimizers' steps and the L2 penalty of the weights, after all gradients."""

from __future__ import annotations

import numpy as np

from nnrun.engines.compiled.formulas.optimizers import OPTIMIZERS, formula_name, weight_decay
from nnrun.engines.compiled.tape.arrays import Address
from nnrun.engines.compiled.tape.plan import ExecutionPlan, Placed
from nnrun.engines.compiled.tape.stages import CHUNKS, Op, Stage, Value, chunks
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array


def corrections(optimizer: Optimizer, rates: Array) -> dict[str, Array]:
    """The corrections of the next steps, which have these learning rates."""
    steps = range(optimizer.steps + 1, optimizer.steps + 1 + len(rates))
    found = {}
    for name, correction in OPTIMIZERS[formula_name(optimizer)].corrections.items():
        beta = getattr(optimizer, correction.beta)
        rests = np.array([1 - beta**step for step in steps])
        found[name] = np.sqrt(rests) if correction.root else rates / rests
    return found


def _values(optimizer: Optimizer, block: str) -> dict[str, Value]:
    """The parameters of the optimizer's kernel that depend on the optimizer."""
    formula = OPTIMIZERS[formula_name(optimizer)]
    return {
        "weight_decay": weight_decay(optimizer),
        **{name: Address(f"{block}.{name}") for name in formula.state},
        **formula.numbers(optimizer),
        **{name: Address(f"@{name}") for name in formula.corrections},
    }


def add_update(
    plan: ExecutionPlan,
    network: Network,
    optimizer: Optimizer,
    clip_norm: float | None,
    losses: bool,
) -> None:
    """Add the stages that sum up gradients, clip them, and change the parameters."""
    plan.label = optimizer.type
    plan.stages.append(plan.last)
    ready = Stage(tasks=CHUNKS)
    factors: Address | int = 0
    placed = [one for one in plan.placed if one.waits]
    for one in placed:
        if one.parts:
            ready.ops.append(_reduce(plan, one))
    cost = add_penalty(plan, ready, network) if network.penalty is not None else None
    if clip_norm is not None:
        factors = _add_clip(plan, ready, placed, clip_norm)
        ready = Stage(tasks=CHUNKS)
    for one in placed:
        values: dict[str, Value] = {"theta": Address(one.block), "gradient": Address(one.gradient)}
        values |= {**_values(optimizer, one.block), **chunks(one.size)}
        ready.ops.append(plan.op(formula_name(optimizer), **values, factors=factors))
    plan.stages.append(ready)
    if cost is not None and losses:
        plan.stages.append(Stage(tasks=1, ops=[cost]))


def _reduce(plan: ExecutionPlan, one: Placed) -> Op:
    gradient, cut = Address(one.gradient), {**chunks(one.size), "rows": plan.rows}
    arrays: dict[str, Value] = {"buffers": gradient, "buffer_task": one.size, "total": gradient}
    return plan.op("reduce", **arrays, **cut, most=one.parts)


def _add_clip(plan: ExecutionPlan, ready: Stage, placed: list[Placed], limit: float) -> Address:
    count = CHUNKS * len(placed)
    # Sums and their units are float64 regardless of the precision: two places each.
    sums, factors = plan.shared("squares", 4 * count), plan.shared("clip", 2)
    for index, one in enumerate(placed):
        values: dict[str, Value] = {"gradient": Address(one.gradient), **chunks(one.size)}
        offset = index * CHUNKS * 16 // plan.dtype.itemsize
        ready.ops.append(plan.op("squares", **values, sums=Address(sums.block, offset)))
    plan.stages.append(ready)
    clip = plan.op("clip", sums=sums, count=count, limit=float(limit), factors=factors)
    plan.stages.append(Stage(tasks=1, ops=[clip]))
    return factors


def add_penalty(plan: ExecutionPlan, ready: Stage, network: Network) -> Op:
    """Add the ops that add its gradient, chunk by chunk, to the summed gradients.

    Returns:
        The op that adds the penalty to the loss of the batch.
    """
    assert network.penalty is not None
    counted = {id(weight) for weight in network.weights}
    weights = [one for one in plan.placed if id(one.parameter) in counted]
    count = CHUNKS * len(weights)
    # Sums are float64 regardless of the precision: two places each.
    sums = plan.shared("weights", 2 * count)
    for index, one in enumerate(weights):
        values: dict[str, Value] = {"theta": Address(one.block), "gradient": Address(one.gradient)}
        offset = index * CHUNKS * 8 // plan.dtype.itemsize
        values |= {"alpha": float(network.penalty.alpha), "sums": Address(sums.block, offset)}
        ready.ops.append(plan.op("penalty", **values, **chunks(one.size)))
    half, losses = float(network.penalty.alpha) / 2, Address("@losses")
    return plan.op("penalty_value", sums=sums, count=count, half=half, losses=losses)
