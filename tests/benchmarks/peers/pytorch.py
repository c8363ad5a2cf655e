"""PyTorch: eager, as its tutorials show; with channels last, which its guides advise; compiled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from tests.benchmarks.contest import TimedRun
from tests.benchmarks.peers import LeftOutError
from tests.benchmarks.works import Conv, Dense, Layer, Pool, Work

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
POOLS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}

# From a model and its loss to a function of a batch and its targets.
Wrap = Callable[[nn.Module, nn.Module], Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]


class PositionBias(nn.Module):
    """One bias for each number of a row."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.bias


def build(work: Work) -> nn.Sequential:
    """The network; softmax is left to the loss, as PyTorch has it."""
    modules: list[nn.Module] = []
    for layer in work.layers:
        with torch.no_grad():
            sample = nn.Sequential(*modules)(torch.zeros(1, *work.input_shape))
        modules += _modules(layer, tuple(sample.shape[1:]))
        activation = getattr(layer, "activation", "linear")
        if activation in ACTIVATIONS:
            modules.append(ACTIVATIONS[activation]())
    return nn.Sequential(*modules).to(getattr(torch, work.dtype))


def _modules(layer: Layer, shape: tuple[int, ...]) -> list[nn.Module]:
    if isinstance(layer, Dense):
        return [nn.Linear(shape[0], layer.units)]
    if isinstance(layer, Pool):
        return [POOLS[layer.kind](2)]
    if not isinstance(layer, Conv):
        return [nn.Flatten()]
    channels, border = layer.channels, layer.border
    if layer.bias == "per_channel":
        return [nn.Conv2d(shape[0], channels, layer.kernel, padding=border)]
    sides = [side + 2 * border - layer.kernel + 1 for side in shape[1:]]
    return [
        nn.Conv2d(shape[0], channels, layer.kernel, padding=border, bias=False),
        PositionBias((channels, *sides)),
    ]


def eager(
    model: nn.Module, loss: nn.Module
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss of a batch, each operation at its turn."""
    return lambda x, target: loss(model(x), target)


def prepare(
    work: Work,
    *,
    memory_format: torch.memory_format = torch.contiguous_format,
    wrap: Wrap = eager,
    threads: int = 1,
) -> TimedRun:
    """The training loop, with images and kernels in memory as asked for."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = build(work).to(memory_format=memory_format)
    optimizer = torch.optim.SGD(model.parameters(), lr=work.rate)
    x, target = (torch.from_numpy(array) for array in work.data)
    if x.ndim == 4:
        x = x.contiguous(memory_format=memory_format)
    if work.loss == "mean_squared":
        loss: nn.Module = nn.MSELoss()
    else:
        loss, target = nn.CrossEntropyLoss(), target.argmax(dim=1)
    batches = np.array_split(work.order, work.iterations)[: work.few_iterations]
    if work.batch_size == 1:
        batches = [slice(int(row), int(row) + 1) for (row,) in batches]
    else:
        batches = [torch.from_numpy(batch) for batch in batches]
    loss_of = wrap(model, loss)

    def run() -> None:
        torch.set_num_threads(threads)
        for batch in batches:
            optimizer.zero_grad()
            loss_of(x[batch], target[batch]).backward()
            optimizer.step()

    return TimedRun(run, len(batches))


# PyTorch, eager, with images and kernels in the channels-last format, which its guides advise.


def channels_last(work: Work, threads: int = 1) -> TimedRun | None:
    if work.batch_size == 1 or not any(isinstance(layer, Conv) for layer in work.layers):
        return None
    return prepare(work, memory_format=torch.channels_last, threads=threads)


# PyTorch with `torch.compile`: the forward and backward pass as generated C++.


def as_one_graph(
    model: nn.Module, loss: nn.Module
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss of a batch as one graph."""
    # All works share this code, and would soon be too many for what is kept of it.
    torch._dynamo.config.recompile_limit = 1000
    torch._dynamo.config.accumulated_recompile_limit = 1000
    return torch.compile(eager(model, loss), fullgraph=True, dynamic=False)


def compiled(work: Work, threads: int = 1) -> TimedRun:
    """As the eager one.

    Raises:
        LeftOutError: PyTorch's compiler does not work here.
    """
    one = prepare(work, wrap=as_one_graph, threads=threads)
    try:
        one.run()
    except RuntimeError as error:
        message = str(error).strip().splitlines()[0]
        raise LeftOutError(f"torch.compile does not work here: {message}") from error
    return one
