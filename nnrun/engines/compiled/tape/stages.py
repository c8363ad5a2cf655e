"""Ops, and the stages that they are run in."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnrun.engines.compiled.kernels.sizes.shapes import padded
from nnrun.engines.compiled.tape.arrays import Address

Value = int | float | Address
EVERY_TASK = 1 << 62
# Into so many chunks the arrays of parameters are cut.
CHUNKS = 16


@dataclass(frozen=True)
class Op:
    """The call of a kernel.

    Args:
        kernel: its name.
        values: its parameters.
        label: what of the network it is about.
        limit: the task that it has no more to do from.
    """

    kernel: str
    values: dict[str, Value]
    label: str
    limit: int = EVERY_TASK


@dataclass
class Stage:
    """Ops that are run one after the other for each task; tasks are in no order.

    Args:
        rows: of the batch that make a task; 0 where tasks are no rows.
        tasks: how many there are in that case.
        strips: the array that the tasks share among them, a strip of columns each.
        ops: what is done.
    """

    rows: int = 0
    tasks: int = 0
    strips: str = ""
    ops: list[Op] = field(default_factory=list)


def chunks(size: int) -> dict[str, int]:
    """What kernels take that change an array chunk by chunk."""
    return {"size": size, "chunk": padded(-(-size // CHUNKS))}
