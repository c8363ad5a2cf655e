"""PyTorch with `torch.compile`: the forward and backward pass as generated C++."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from tests.benchmarks.peers import LeftOutError, pytorch
from tests.benchmarks.timing import TimedRun
from tests.benchmarks.works import Work


def compiled(
    model: nn.Module, loss: nn.Module
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss of a batch as one graph."""
    # All works share this code, and would soon be too many for what is kept of it.
    torch._dynamo.config.recompile_limit = 1000
    torch._dynamo.config.accumulated_recompile_limit = 1000
    return torch.compile(pytorch.eager(model, loss), fullgraph=True, dynamic=False)


def prepare(work: Work, threads: int = 1) -> TimedRun:
    """As the eager one.

    Raises:
        LeftOutError: PyTorch's compiler does not work here.
    """
    one = pytorch.prepare(work, wrap=compiled, threads=threads)
    try:
        one.run()
    except RuntimeError as error:
        message = str(error).strip().splitlines()[0]
        raise LeftOutError(f"torch.compile does not work here: {message}") from error
    return one
