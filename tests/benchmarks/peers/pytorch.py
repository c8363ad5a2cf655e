"""PyTorch, eager: the loop that its tutorials show."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tests.benchmarks.timing import Stretch
from tests.benchmarks.works import Conv, Dense, Flatten, Work

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


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
    shape = work.input_shape
    for layer in work.layers:
        if isinstance(layer, Dense):
            modules.append(nn.Linear(shape[0], layer.units))
        elif isinstance(layer, Conv):
            per_position = layer.bias == "per_position"
            modules.append(nn.Conv2d(shape[0], layer.channels, 3, bias=not per_position))
            if per_position:
                modules.append(PositionBias((layer.channels, shape[1] - 2, shape[2] - 2)))
        else:
            modules.append(nn.Flatten() if isinstance(layer, Flatten) else nn.MaxPool2d(2))
        activation = getattr(layer, "activation", "linear")
        if activation in ACTIVATIONS:
            modules.append(ACTIVATIONS[activation]())
        with torch.no_grad():
            sample = nn.Sequential(*modules)(torch.zeros(1, *work.input_shape))
        shape = tuple(sample.shape[1:])
    return nn.Sequential(*modules).to(torch.float64 if work.dtype == "float64" else torch.float32)


def prepare(work: Work) -> Stretch | None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build(work)
    optimizer = torch.optim.SGD(model.parameters(), lr=work.rate)
    x, target = (torch.from_numpy(array) for array in work.data)
    if work.loss == "mean_squared":
        loss_function: nn.Module = nn.MSELoss()
    else:
        loss_function, target = nn.CrossEntropyLoss(), target.argmax(dim=1)
    batches = np.array_split(work.order, work.iterations)[: work.few_iterations]
    if work.batch_size == 1:
        batches = [slice(int(row), int(row) + 1) for (row,) in batches]
    else:
        batches = [torch.from_numpy(batch) for batch in batches]

    def run() -> None:
        for batch in batches:
            optimizer.zero_grad()
            loss_function(model(x[batch]), target[batch]).backward()
            optimizer.step()

    return Stretch(run, len(batches))
