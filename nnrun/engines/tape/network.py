"""A network's tapes, for training and for evaluation: the layers between the rows and the loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnrun.engines.formulas import (
    OPTIMIZERS,
    POINTWISE,
    formula_name,
    is_plain,
    loss_formula,
    loss_name,
    weight_decay,
)
from nnrun.engines.generated.program import title_lines
from nnrun.engines.tape.layers import Sequence, Step, border_of, steps_of
from nnrun.engines.tape.plan import (
    CHUNKS,
    EVERY_TASK,
    Address,
    ExecutionPlan,
    Map,
    Op,
    Placed,
    Stage,
    Value,
    chunks,
)
from nnrun.nn.layer import Layer
from nnrun.nn.losses import Loss, Weighted
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array

# The optimizers' steps and the L2 penalty of the weights, after all gradients.


def corrections(optimizer: Optimizer, rates: Array) -> dict[str, Array]:
    """The corrections of the next steps, which have these learning rates, and their share in the
    average.
    """
    steps = range(optimizer.steps + 1, optimizer.steps + 1 + len(rates))
    found = {}
    for name, correction in OPTIMIZERS[formula_name(optimizer)].corrections.items():
        beta = getattr(optimizer, correction.beta)
        rests = np.array([1 - beta**step for step in steps])
        found[name] = np.sqrt(rests) if correction.root else rates / rests
    if optimizer.average is not None:
        found["share"] = optimizer.average.shares(optimizer.steps, len(rates))
    return found


def _values(optimizer: Optimizer, block: str, decays: bool) -> dict[str, Value]:
    """The parameters of the optimizer's kernel that depend on the optimizer."""
    formula = OPTIMIZERS[formula_name(optimizer)]
    numbers = formula.numbers(optimizer)
    if "decay" in numbers and not decays:
        numbers["decay"] = 0.0
    return {
        "weight_decay": weight_decay(optimizer) if decays else 0.0,
        **{name: Address(f"{block}.{name}") for name in formula.state},
        **numbers,
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
    spared = optimizer.spared(network)
    for one in placed:
        values: dict[str, Value] = {"theta": Address(one.block), "gradient": Address(one.gradient)}
        decays = id(one.parameter) not in spared
        values |= {**_values(optimizer, one.block, decays), **chunks(one.size)}
        ready.ops.append(plan.op(formula_name(optimizer), **values, factors=factors))
    if optimizer.average is not None:
        for block, size in plan.lasting.items():
            ready.ops.append(_average(plan, block, size))
    plan.stages.append(ready)
    if cost is not None and losses:
        plan.stages.append(Stage(tasks=1, ops=[cost]))


def _average(plan: ExecutionPlan, block: str, size: int) -> Op:
    """A parameter or a statistic into its average."""
    mean = Address(f"{block}.average")
    plan.blocks[mean.block] = size
    values: dict[str, Value] = {"source": Address(block), "mean": mean, "share": Address("@share")}
    return plan.op("average", **values, **chunks(size))


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


def add_gradient(plan: ExecutionPlan, loss: Loss, output: Map, target: Map, losses: bool) -> Map:
    """Add the ops that compute dL/dy from the output y, and with `losses` each row's loss."""
    y = plan.flattened(output)
    dy = plan.like(f"d{y.block}", y)
    if losses:
        _add_losses(plan, loss, y, target)
    values = {**y.rows("y"), **target.rows("t"), **dy.rows("dy")}
    plan.by_rows(loss_name(loss), **values, size=y.size, **_settings(loss, y.size))
    if isinstance(loss, Weighted):
        plan.by_rows("weigh", **_weights(y, target), **dy.rows("dy"), size=y.size)
    return plan.unflattened(dy, output)


def _add_losses(plan: ExecutionPlan, loss: Loss, y: Map, target: Map) -> None:
    values = {**y.rows("y"), **target.rows("t"), "losses": Address("@losses")}
    plan.by_rows(f"{loss_name(loss)}_value", **values, size=y.size, **_settings(loss, y.size))
    if isinstance(loss, Weighted):
        plan.by_rows("weigh_losses", **_weights(y, target), losses=Address("@losses"))


def _weights(y: Map, target: Map) -> dict[str, Address | int]:
    """The number after the targets of each row."""
    return target.rows("w", target.offset + y.size)


def _settings(loss: Loss, outputs: int) -> dict[str, float]:
    return {name: loss.setting(name, outputs) for name in loss_formula(loss).settings}


def add_values(
    plan: ExecutionPlan, loss: Loss, output: Map, target: Map, head: Layer | None
) -> None:
    """Add the ops that write each row's loss and outputs, in the order of the rows."""
    y = plan.flattened(output)
    _add_losses(plan, loss, y, target)
    if head is not None:
        outputs = plan.vector("outputs", y.size)
        if head.type in POINTWISE:
            values = {**y.lines("x"), **outputs.lines("y"), **y.runs}
            plan.by_rows(head.type, **values)
        else:
            plan.by_rows(head.type, **y.rows("x"), **outputs.rows("y"), size=y.size)
        y = outputs
    shape = {"channels": y.size, "height": 1, "width": 1}
    placed: dict[str, Address | int] = {"y": Address("@outputs"), "y_row": y.size, "placed": 1}
    plan.by_rows("flatten", **y.named("x"), **placed, **shape)


def training(
    network: Network,
    optimizer: Optimizer,
    *,
    clip_norm: float | None,
    batch_size: int,
    losses: bool = False,
) -> ExecutionPlan:
    """One update for each batch; with `losses` also each row's loss before the update."""
    descends = is_plain(optimizer) and clip_norm is None and network.penalty is None
    plan = ExecutionPlan(network.dtype, batch_size, descends, training=True)
    plan.shared("ones", 1)
    layers, target = _forward(plan, network)
    dy = add_gradient(plan, network.loss, layers.y, target, losses)
    layers.backward(dy)
    add_update(plan, network, optimizer, clip_norm, losses)
    return plan


def evaluation(network: Network, batch_size: int) -> ExecutionPlan:
    """Losses and outputs of rows, this many at a time."""
    plan = ExecutionPlan(network.dtype, batch_size, descends=True, training=False)
    layers, target = _forward(plan, network)
    add_values(plan, network.reported, layers.y, target, network.head)
    return plan


def _forward(plan: ExecutionPlan, network: Network) -> tuple[Sequence, Map]:
    """The layers with the ops of the forward pass, and the targets."""
    steps = steps_of(network, plan.training)
    x, target = _gather(plan, network, steps)
    layers = Sequence(plan, steps, x)
    layers.forward()
    plan.label = network.loss.type
    return layers, target


def _gather(plan: ExecutionPlan, network: Network, steps: list[Step]) -> tuple[Map, Map]:
    """The rows of a batch and their targets, in the layouts of the layers."""
    plan.label = "batch"
    shape = network.input_shape
    if len(shape) == 3:
        border = border_of(steps, plan.training)
        exact = steps[0].emitter.any_channels
        x = plan.image("x", (shape[0], shape[1], shape[2]), border, exact=exact)
        _add_gather(plan, "@x", x, x.named("x"), x.shape)
    else:
        x = plan.vector("x", shape[0])
        _add_gather(plan, "@x", x, *_as_line(x, "x"))
    target = plan.vector("t", network.target_size)
    _add_gather(plan, "@target", target, *_as_line(target, "x"))
    return x, target


def _as_line(x: Map, name: str) -> tuple[dict[str, Address | int], dict[str, int]]:
    """A vector as an image of one line."""
    line = {**x.rows(name), f"{name}_line": x.row, f"{name}_pixel": 1}
    return line, {"channels": 1, "height": 1, "width": x.size}


def _add_gather(
    plan: ExecutionPlan, data: str, x: Map, place: dict[str, Address | int], shape: dict[str, int]
) -> None:
    order = Address("@rows") if plan.training else 0
    plan.by_rows("gather", order=order, data=Address(data), data_row=x.size, **place, **shape)


# A tape as text.


def emit(
    network: Network, optimizer: Optimizer, *, clip_norm: float | None, batch_size: int
) -> str:
    """The arrays, and the stages with the kernels that are called in each, for one batch."""
    plan = training(network, optimizer, clip_norm=clip_norm, batch_size=batch_size)
    return "\n".join([*_head(plan, network, optimizer), *_arrays(plan), *_stages(plan), ""])


def _head(plan: ExecutionPlan, network: Network, optimizer: Optimizer) -> Iterator[str]:
    yield from (f"# {line}" for line in title_lines(network, optimizer))
    yield f"# Batches of {plan.batch_size} rows at most, {plan.dtype.name}."
    yield "# Names that begin with @ are arrays of the engine's; + counts numbers from the first."


def _arrays(plan: ExecutionPlan) -> Iterator[str]:
    yield ""
    yield "arrays"
    width = max(map(len, plan.blocks))
    for name, size in plan.blocks.items():
        yield f"    {name:{width}}  {size:,}"


def _stages(plan: ExecutionPlan) -> Iterator[str]:
    for number, stage in enumerate(plan.all_stages, 1):
        yield ""
        yield f"stage {number}, {_tasks(stage)}"
        for op in stage.ops:
            yield from _op(op, stage)


def _tasks(stage: Stage) -> str:
    if stage.rows:
        return "tasks of 1 row" if stage.rows == 1 else f"tasks of {stage.rows} rows"
    return "1 task" if stage.tasks == 1 else f"{stage.tasks} tasks"


def _op(op: Op, stage: Stage) -> Iterator[str]:
    some = "" if op.limit in (EVERY_TASK, stage.tasks) else f"  (task 0 to {op.limit - 1})"
    yield f"    {op.kernel}  # {op.label}{some}"
    values = [f"{name}={value}" for name, value in op.values.items()]
    line = "       "
    for value in values:
        if len(line) + len(value) > 98:
            yield line
            line = "       "
        line += f" {value}"
    yield line
