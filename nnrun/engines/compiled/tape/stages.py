"""Ops, and the stages that they are run in."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnrun.engines.compiled.kernels.sizes.shapes import padded
from nnrun.engines.compiled.tape.arrays import Address

Value = int | float | Address
EVERY_TASK = 1 << 62
# Chunks of a parameter's array.
CHUNKS = 16


@dataclass(frozen=True)
class Op:
    """The call of a kernel.

    Args:
        label: the part of the network it belongs to.
        limit: tasks from this one on do nothing.
    """

    kernel: str
    values: dict[str, Value]
    label: str
    limit: int = EVERY_TASK


@dataclass
class Stage:
    """Ops that are run one after the other for each task; tasks are in no order.

    Args:
        rows: of the batch in a task; 0 if tasks are not made of rows.
        tasks: the number of tasks in that case.
        ops: of each task.
    """

    rows: int = 0
    tasks: int = 0
    ops: list[Op] = field(default_factory=list)


def chunks(size: int) -> dict[str, int]:
    """The parameters of kernels that change an array chunk by chunk."""
    return {"size": size, "chunk": padded(-(-size // CHUNKS))}
