"""The memory that generated code works on, and how the network's numbers get in and out."""

from __future__ import annotations

import numpy as np

from nnrun.engines.compiled.generate import Generated
from nnrun.engines.compiled.program import CACHE_LINE
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array


class Blocks:
    """The blocks that `Program` describes.

    The generated code has its own order of the parameters (see the emitters of the layers), so
    they are copied in before a stretch of iterations, and back after it.
    """

    def __init__(self, code: Generated, network: Network, optimizer: Optimizer) -> None:
        self.code = code
        self.network = network
        self.optimizer = optimizer
        program, dtype = code.program, network.dtype
        size = program.size("theta")
        self.theta = aligned(size + program.size("alone"), dtype)
        self.gradient = aligned(size if not program.direct else 1, dtype)
        self.states = len(code.state) * size
        self.state = aligned(self.states + program.size("statistics"), dtype)
        self.values = aligned(1, dtype)
        placed = program.positions
        self.positions = np.concatenate(
            [placed[id(parameter)] for parameter in network.parameters.values()]
        )

    def gather(self, batch_size: int) -> None:
        """Copy parameters, the optimizer's arrays and statistics in."""
        program = self.code.program
        rows = batch_size if program.whole else 1
        needed = program.size("values") + rows * program.size("row")
        if len(self.values) < needed:
            self.values = aligned(needed, self.network.dtype)
        self.theta[self.positions] = self.network.theta
        for name, part in self._state_parts():
            part[self.positions] = self.optimizer.state[name]
        for layer, key, where in program.statistics:
            self.state[self.states + where] = layer.statistics[key]

    def scatter(self) -> None:
        """Copy them back."""
        self.network.theta[...] = self.theta[self.positions]
        for name, part in self._state_parts():
            self.optimizer.state[name][...] = part[self.positions]
        for layer, key, where in self.code.program.statistics:
            layer.statistics[key][...] = self.state[self.states + where]

    def _state_parts(self) -> list[tuple[str, Array]]:
        size = self.code.program.size("theta")
        return [
            (name, self.state[index * size : (index + 1) * size])
            for index, name in enumerate(self.code.state)
        ]


def aligned(size: int, dtype: np.dtype[np.floating]) -> Array:
    """Zeros that start at a cache line."""
    extra = CACHE_LINE // dtype.itemsize
    array = np.zeros(size + extra, dtype)
    start = -array.ctypes.data % CACHE_LINE // dtype.itemsize
    return array[start : start + size]
