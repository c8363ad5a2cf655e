"""The memory that generated code works on, and how the network's numbers get in and out."""

from __future__ import annotations

from nnrun.engines.compiled import allocation
from nnrun.engines.compiled.generated.generate import Generated
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer


class Blocks:
    """The blocks that `Program` describes.

    The generated code has its own order of the parameters (see the emitters of the layers), so
    they are copied in before some iterations, and back after them.
    """

    def __init__(self, code: Generated, network: Network, optimizer: Optimizer) -> None:
        self.code = code
        self.network = network
        self.optimizer = optimizer
        program, dtype = code.program, network.dtype
        size = program.size("theta")
        states = len(code.state) * size
        self.theta = allocation.unwritten(size + program.size("alone"), dtype)
        self.gradient = allocation.unwritten(1 if program.direct else size, dtype)
        self.state = allocation.unwritten(states + program.size("statistics"), dtype)
        self.values = allocation.unwritten(1, dtype)
        own = {"theta": self.theta, "gradient": self.gradient, "state": self.state}
        self._addresses = {name: array.ctypes.data for name, array in own.items()}
        self.values_address = self.values.ctypes.data
        self._state_parts = [
            (name, self.state[index * size : (index + 1) * size])
            for index, name in enumerate(code.state)
        ]
        self._statistics = self.state[states:]

    def reserve(self, batch_size: int) -> None:
        """Have memory for what is computed for batches of so many rows."""
        program = self.code.program
        rows = batch_size if program.whole else 1
        needed = program.size("values") + rows * program.size("row")
        if len(self.values) < needed:
            self.values = allocation.unwritten(needed, self.network.dtype)
            program.clear_around(self.values)
            self.values_address = self.values.ctypes.data

    @property
    def addresses(self) -> dict[str, int]:
        """Where each of them is, by its name among the function's arguments."""
        return {**self._addresses, "values": self.values_address}

    def gather(self) -> None:
        """Copy parameters, the optimizer's arrays and statistics in."""
        positions = self.code.positions
        # Of what only fills registers, nothing may be left of a run that has diverged.
        self.theta.fill(0)
        self.state.fill(0)
        self.theta[positions] = self.network.theta
        for name, part in self._state_parts:
            part[positions] = self.optimizer.state[name]
        if self.code.statistics:
            found = self.network.statistics
            for name, where in self.code.statistics:
                self._statistics[where] = found[name]

    def scatter(self) -> None:
        """Copy them back."""
        positions = self.code.positions
        self.network.theta[...] = self.theta[positions]
        for name, part in self._state_parts:
            self.optimizer.state[name][...] = part[positions]
        if self.code.statistics:
            found = self.network.statistics
            for name, where in self.code.statistics:
                found[name][...] = self._statistics[where]
