"""A network's tapes, for training and for evaluation."""

from __future__ import annotations

from nnrun.engines.compiled.formulas.optimizers import is_plain
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.layers.sequence import Sequence, Step, border_of, steps_of
from nnrun.engines.compiled.tape.losses import add_gradient, add_values
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.engines.compiled.tape.updates import add_update
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer


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
    """Losses and outputs of rows, so many at a time."""
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
