"""The positions of nonzeros in a batch, found once for all products that skip zeros."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.engines.compiled.kernels.sizes import sparse
from nnrun.engines.compiled.tape.arrays import Address, Map
from nnrun.engines.compiled.tape.plan import ExecutionPlan

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

    @property
    def choice(self) -> dict[str, Address | int]:
        """The parameters by which kernels choose whether zeros are skipped."""
        return {"counts": self.counts, "counted": self.counted}

    @property
    def named(self) -> dict[str, Address | int]:
        """These, and the masks."""
        return {"masks": self.masks, "capacity": self.capacity, **self.choice}


# For kernels that never skip zeros.
NONE_COUNTED: dict[str, Address | int] = {"counts": 0, "counted": 1}


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
