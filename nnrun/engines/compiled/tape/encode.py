"""A tape as numbers, for `kernels.runner`."""

from __future__ import annotations

import struct

import numpy as np

from nnrun.engines.compiled import allocation
from nnrun.engines.compiled.kernels import KERNELS
from nnrun.engines.compiled.tape.arrays import Address
from nnrun.engines.compiled.tape.memory import Memory
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.engines.compiled.tape.stages import Value


class Encoded:
    """Stages, ops and their parameters, as int64.

    Args:
        scratch: bytes of scratch memory that each thread has.
    """

    def __init__(
        self, plan: ExecutionPlan, memory: Memory, kernels: dict[str, int], scratch: int
    ) -> None:
        self._memory = memory
        self._itemsize = plan.dtype.itemsize
        self._late: list[tuple[int, Address]] = []
        stages: list[list[int]] = []
        ops: list[list[int]] = []
        parameters: list[int] = []
        for stage in plan.all_stages:
            stages.append([stage.rows, stage.tasks, len(ops), len(stage.ops)])
            for op in stage.ops:
                assert plan.scratch_of(op) <= scratch
                ops.append([kernels[op.kernel], len(parameters), op.limit])
                for name in KERNELS[op.kernel].parameters:
                    value = op.values[name]
                    if isinstance(value, Address) and value.block.startswith("@"):
                        self._late.append((len(parameters), value))
                        value = 0
                    parameters.append(self._number(value))
        self.stages = allocation.given(np.array(stages), np.int64)
        self.ops = allocation.given(np.array(ops), np.int64)
        self.parameters = allocation.given(np.array(parameters), np.int64)
        self.ops[:, 1] = self.parameters.ctypes.data + 8 * self.ops[:, 1]

    def point(self, late: dict[str, int]) -> None:
        """Set the addresses of the caller's arrays, by their names without the @."""
        for place, address in self._late:
            self.parameters[place] = late[address.block[1:]] + address.offset * self._itemsize

    def _number(self, value: Value) -> int:
        if isinstance(value, Address):
            return self._memory.address(value.block) + value.offset * self._itemsize
        if isinstance(value, float):
            return int(struct.unpack("<q", struct.pack("<d", value))[0])
        return value
