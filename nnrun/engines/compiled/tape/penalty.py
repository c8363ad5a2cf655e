"""The L2 penalty of the weights."""

from __future__ import annotations

from nnrun.engines.compiled.tape.arrays import Address
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.engines.compiled.tape.stages import CHUNKS, Op, Stage, Value, chunks
from nnrun.nn.network import Network


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
