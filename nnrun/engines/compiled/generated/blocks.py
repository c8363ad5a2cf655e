"""The memory of generated code; parameters are copied in and out."""

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
        self.theta = allocation.unwritten(size, dtype)
        self.gradient = allocation.unwritten(1 if program.direct else size, dtype)
        self.state = allocation.unwritten(states, dtype)
        self.values = allocation.unwritten(program.size("values"), dtype)
        program.clear_around(self.values)
        own = {"theta": self.theta, "gradient": self.gradient, "state": self.state}
        self._addresses = {name: allocation.address(array) for name, array in own.items()}
        self.values_address = allocation.address(self.values)
        self._state_parts = [
            (name, self.state[index * size : (index + 1) * size])
            for index, name in enumerate(code.state)
        ]

    @property
    def addresses(self) -> dict[str, int]:
        """The address of each block, by the name of the function's argument."""
        return {**self._addresses, "values": self.values_address}

    def gather(self) -> None:
        """Copy parameters, the optimizer's arrays in."""
        positions = self.code.positions
        # Padding may hold NaN from a run that diverged.
        self.theta.fill(0)
        self.state.fill(0)
        self.theta[positions] = self.network.theta
        for name, part in self._state_parts:
            part[positions] = self.optimizer.state[name]

    def scatter(self) -> None:
        """Copy them back."""
        positions = self.code.positions
        self.network.theta[...] = self.theta[positions]
        for name, part in self._state_parts:
            self.optimizer.state[name][...] = part[positions]
