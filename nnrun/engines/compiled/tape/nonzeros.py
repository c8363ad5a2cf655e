"""The positions of nonzeros in a batch, found once for all products that skip zeros."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.engines.compiled.kernels.sizes import sparse
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.engines.compiled.tape.stages import Value

_BYTES = 8  # of a mask, and of a count


@dataclass(frozen=True)
class Nonzeros:
    """The masks and the counts of an array.

    Args:
        capacity: the distance between the masks of a row.
        counts: the address of the counts, one for each block of rows.
        counted: rows of a block.
    """

    masks: Address
    capacity: int
    counts: Address
    counted: int


def named(found: Nonzeros | None) -> dict[str, Value]:
    """The parameters by which kernels choose whether zeros are skipped; never without any."""
    if found is None:
        return {"counts": 0, "counted": 1}
    return {name: getattr(found, name) for name in ("masks", "capacity", "counts", "counted")}


def mark(plan: ExecutionPlan, x: Map) -> Nonzeros:
    """Add the op that finds x's, and take memory for them."""
    size = x.stored
    length = _BYTES // plan.dtype.itemsize
    masks = plan.shared(f"{x.block}_masks", length * sparse.words(size) * plan.batch_size)
    counts = plan.shared(f"{x.block}_counts", length * plan.row_tasks)
    found = Nonzeros(masks, plan.batch_size, counts, plan.rows)
    places = {"masks": masks, "counts": counts}
    plan.by_rows("nonzeros", **x.rows("x"), size=size, **places, capacity=found.capacity)
    return found
