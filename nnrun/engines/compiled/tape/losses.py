"""The loss' gradient at the end of the way forward; its values and the outputs of an evaluation."""

from __future__ import annotations

from nnrun.engines.compiled.activations import POINTWISE
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.plan import Plan
from nnrun.nn.layer import Layer
from nnrun.nn.losses import Loss


def add_gradient(plan: Plan, loss: Loss, output: Map, target: Map) -> Map:
    """Add the ops that make dL/dy from the output y."""
    y = plan.flattened(output)
    dy = plan.like(f"d{y.block}", y)
    delta = float(getattr(loss, "delta", 0.0))
    plan.by_rows(
        loss.type, **y.rows("y"), **target.rows("t"), **dy.rows("dy"), size=y.size, delta=delta
    )
    return plan.unflattened(dy, output)


def add_values(plan: Plan, loss: Loss, output: Map, target: Map, head: Layer | None) -> None:
    """Add the ops that write each row's loss and outputs to where the rows stand in the split."""
    y = plan.flattened(output)
    delta = float(getattr(loss, "delta", 0.0))
    plan.by_rows(
        f"{loss.type}_value",
        **y.rows("y"),
        **target.rows("t"),
        losses=Address("@losses"),
        size=y.size,
        delta=delta,
    )
    if head is not None:
        outputs = plan.vector("outputs", y.size)
        if head.type in POINTWISE:
            values = {**y.lines("x"), **outputs.lines("y"), **y.runs}
            plan.by_rows(head.type, **values, columns=0)
        else:
            plan.by_rows(head.type, **y.rows("x"), **outputs.rows("y"), size=y.size)
        y = outputs
    shape = {"channels": y.size, "height": 1, "width": 1}
    placed: dict[str, Address | int] = {"y": Address("@outputs"), "y_row": y.size, "placed": 1}
    plan.by_rows("flatten", **y.named("x"), **placed, **shape)
