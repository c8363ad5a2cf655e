"""The optimizers' steps, after all gradients."""

from __future__ import annotations

from collections.abc import Callable

from nnrun.engines.compiled.tape.arrays import Address
from nnrun.engines.compiled.tape.penalty import add_penalty
from nnrun.engines.compiled.tape.plan import ExecutionPlan, Placed
from nnrun.engines.compiled.tape.stages import CHUNKS, Op, Stage, Value, chunks
from nnrun.nn.network import Network
from nnrun.nn.optimizers import SGD, Adam, Optimizer


def sgd(optimizer: SGD, block: str) -> dict[str, Value]:
    """The parameters of `kernels.update.sgd` that depend on the optimizer."""
    return {
        "velocity": Address(f"{block}.velocity") if optimizer.momentum else 0,
        "momentum": float(optimizer.momentum),
        "nesterov": int(optimizer.nesterov),
        "decay": float(optimizer.weight_decay),
    }


def adam(optimizer: Adam, block: str) -> dict[str, Value]:
    """The parameters of `kernels.update.adam` that depend on the optimizer."""
    return {
        "mean": Address(f"{block}.mean"),
        "square": Address(f"{block}.square"),
        "beta1": float(optimizer.beta1),
        "rest1": 1 - float(optimizer.beta1),
        "beta2": float(optimizer.beta2),
        "rest2": 1 - float(optimizer.beta2),
        "epsilon": float(optimizer.epsilon),
        "decay": float(optimizer.weight_decay),
        "mean_parts": Address("@mean_parts"),
        "square_parts": Address("@square_parts"),
    }


OPTIMIZERS: dict[str, Callable[..., dict[str, Value]]] = {"sgd": sgd, "adam": adam}


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
        values |= OPTIMIZERS[optimizer.type](optimizer, one.block)
        ready.ops.append(plan.op(optimizer.type, **values, **chunks(one.size), factors=factors))
    plan.stages.append(ready)
    if cost is not None and losses:
        plan.stages.append(Stage(tasks=1, ops=[cost]))


def _reduce(plan: ExecutionPlan, one: Placed) -> Op:
    gradient, cut = Address(one.gradient), {**chunks(one.size), "rows": plan.rows}
    arrays: dict[str, Value] = {"buffers": gradient, "buffer_task": one.size, "total": gradient}
    return plan.op("reduce", **arrays, **cut, most=one.parts)


def _add_clip(plan: ExecutionPlan, ready: Stage, placed: list[Placed], limit: float) -> Address:
    count = CHUNKS * len(placed)
    # Sums and their units are float64 whatever the precision: two places each.
    sums, factors = plan.shared("squares", 4 * count), plan.shared("clip", 2)
    for index, one in enumerate(placed):
        values: dict[str, Value] = {"gradient": Address(one.gradient), **chunks(one.size)}
        offset = index * CHUNKS * 16 // plan.dtype.itemsize
        ready.ops.append(plan.op("squares", **values, sums=Address(sums.block, offset)))
    plan.stages.append(ready)
    clip = plan.op("clip", sums=sums, count=count, limit=float(limit), factors=factors)
    plan.stages.append(Stage(tasks=1, ops=[clip]))
    return factors
