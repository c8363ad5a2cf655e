"""A network's tapes, for training and for evaluation: the layers between the rows and the loss."""

from __future__ import annotations

from nnrun.engines.compiled.formulas.activations import POINTWISE
from nnrun.engines.compiled.formulas.losses import LOSSES
from nnrun.engines.compiled.formulas.optimizers import is_plain
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.sequence import Sequence, Step, border_of, steps_of
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.engines.compiled.tape.updates import add_update
from nnrun.nn.layer import Layer
from nnrun.nn.losses import Loss, Weighted
from nnrun.nn.losses.weighted import unweighted
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer


def add_gradient(plan: ExecutionPlan, loss: Loss, output: Map, target: Map, losses: bool) -> Map:
    """Add the ops that compute dL/dy from the output y, and with `losses` each row's loss."""
    y = plan.flattened(output)
    dy = plan.like(f"d{y.block}", y)
    if losses:
        _add_losses(plan, loss, y, target)
    values = {**y.rows("y"), **target.rows("t"), **dy.rows("dy")}
    plan.by_rows(loss.type, **values, size=y.size, **_settings(loss))
    if isinstance(loss, Weighted):
        plan.by_rows("weigh", **_weights(y, target), **dy.rows("dy"), size=y.size)
    return plan.unflattened(dy, output)


def _add_losses(plan: ExecutionPlan, loss: Loss, y: Map, target: Map) -> None:
    values = {**y.rows("y"), **target.rows("t"), "losses": Address("@losses")}
    plan.by_rows(f"{loss.type}_value", **values, size=y.size, **_settings(loss))
    if isinstance(loss, Weighted):
        plan.by_rows("weigh_losses", **_weights(y, target), losses=Address("@losses"))


def _weights(y: Map, target: Map) -> dict[str, Address | int]:
    """The number after the targets of each row."""
    return target.rows("w", target.offset + y.size)


def _settings(loss: Loss) -> dict[str, float]:
    plain = unweighted(loss)
    return {name: float(getattr(plain, name)) for name in LOSSES[loss.type].settings}


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
    add_values(plan, network.loss, layers.y, target, network.head)
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
