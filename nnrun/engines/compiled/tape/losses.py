"""The loss' gradient after the forward pass; losses and outputs of an evaluation."""

from __future__ import annotations

from nnrun.engines.compiled.formulas.activations import POINTWISE
from nnrun.engines.compiled.formulas.losses import LOSSES
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.nn.layer import Layer
from nnrun.nn.losses import Loss, Weighted
from nnrun.nn.losses.weighted import unweighted


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
