"""The order of rows, drawn by compiled code: the same rows as the sampler's, to the bit.

Compiled code continues from the sampler's state, and sets it at the end. The driver draws the rows
of a block when the block begins. But with single rows drawn with replacement and weights changed in
place, the generated function draws one row of the next block with each update, while the processor
waits for the update's numbers. (Without these lines in its loop, LLVM makes another loop of it, and
updates of W3 take 20% longer.)
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from nnrun.engines.base import Steps
from nnrun.engines.compiled import allocation
from nnrun.engines.compiled.kernels import DRIVE
from nnrun.engines.compiled.kernels.load import addresses
from nnrun.engines.compiled.kernels.sampling import fields as at
from nnrun.engines.sampling import Sampler
from nnrun.nn.signature import Array

_DRIVE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)
_HALF_STATE = (1 << 64) - 1


class Sampling:
    """The fields, for one order of rows.

    Args:
        together: whether the function draws rows.
        drawn: random numbers that dropout takes for a row.
    """

    def __init__(self, order: Sampler, function: int, together: bool, drawn: int) -> None:
        self.order = order
        self.batch = order.batch_size
        self.size = order.block_rows
        self.fields = allocation.zeros(at.FIELDS, np.uint64)
        bounds = np.arange(0, (at.PIECE + 1) * self.batch, self.batch)
        self.bounds = allocation.given(bounds, np.int64)
        self._blocks = [allocation.unwritten(self.size, np.int64) for _ in range(2)]
        kind = at.SAMPLINGS.index(order.sampling)
        if kind == at.IN_ORDER:
            self._blocks[0][...] = np.arange(self.size)
        elif order.rows == 1:  # there is nothing to draw
            for block in self._blocks:
                block[...] = 0
        fields = self.fields
        fields[[at.BLOCK, at.NEXT]] = [*map(allocation.address, self._blocks)]
        fields[at.SIZE], fields[at.SAMPLING], fields[at.BATCH] = self.size, kind, self.batch
        fields[at.BOUND], fields[at.FUNCTION], fields[at.DRAWN] = order.rows, function, drawn
        fields[at.TOGETHER] = together and kind == at.WITH_REPLACEMENT
        self._drive = _DRIVE(addresses([DRIVE], "float64")[DRIVE])
        self._place = allocation.address(fields)
        self._stop = allocation.zeros(1, np.int64)
        self._stop_place = allocation.address(self._stop)
        self._left: dict[str, Any] | None = None

    @staticmethod
    def fits(steps: Steps) -> bool:
        """Whether compiled code can draw these rows."""
        order = steps.order
        generator = order.state()["stream"]["bit_generator"]
        return not steps.taken and generator == "PCG64" and order.rows < 1 << 32

    def take_over(self) -> int:
        """Take over the order's state; returns the used batches of its block."""
        state = self.order.state()
        taken = int(state["used"])
        if state == self._left:
            return taken
        stream, fields = state["stream"], self.fields
        for first, number in ((at.STATE, "state"), (at.INCREMENT, "inc")):
            whole = stream["state"][number]
            fields[first], fields[first + 1] = whole & _HALF_STATE, whole >> 64
        fields[at.FULL], fields[at.HALF] = stream["has_uint32"], stream["uinteger"]
        fields[at.NEXT_STREAM : at.NEXT_STREAM + at.STREAM] = fields[: at.STREAM]
        # As at the end of a block, whose rows are not needed.
        fields[at.USED], fields[at.AHEAD] = self.size, 0
        fields[at.SKIP] = min(taken * self.batch, self.size)
        return taken

    def run(self, table: int, iterations: int) -> None:
        """Make so many updates."""
        self._stop[0] = iterations
        self._drive(self._place, table, self._stop_place, 1)

    def run_and_evaluate(self, table: int, stops: Array, evaluations: Array) -> tuple[float, float]:
        """Make updates up to one stop after the other, with evaluations at each.

        Args:
            table: as for `run`.
            stops: int64, how many updates there are before each, since the one before.
            evaluations: int64, the tables that the driver takes for them (see `fields`).

        Returns:
            Seconds of updates, and of evaluations.
        """
        fields = self.fields
        fields[[at.UPDATE_TIME, at.EVALUATION_TIME]] = 0
        fields[at.EVALUATIONS], fields[at.TABLES] = (
            allocation.address(evaluations),
            len(evaluations),
        )
        self._drive(self._place, table, allocation.address(stops), len(stops))
        fields[at.TABLES] = 0
        return float(fields[at.UPDATE_TIME]) / 1e9, float(fields[at.EVALUATION_TIME]) / 1e9

    def hand_back(self) -> None:
        """Set the order to the current state."""
        fields = self.fields[at.BLOCK_STREAM : at.BLOCK_STREAM + at.STREAM].tolist()
        state, increment = (fields[n] | fields[n + 1] << 64 for n in (at.STATE, at.INCREMENT))
        self._left = {
            "stream": {
                "bit_generator": "PCG64",
                "state": {"state": state, "inc": increment},
                "has_uint32": fields[at.FULL],
                "uinteger": fields[at.HALF],
            },
            "used": -(-int(self.fields[at.USED]) // self.batch),
        }
        self.order.move_to(self._left)

    def rows_until(self, batches: int) -> int:
        """The number of rows in so many batches, counted from the block's first."""
        blocks, rest = divmod(batches, -(-self.size // self.batch))
        return blocks * self.size + min(rest * self.batch, self.size)
