"""The same network in PyTorch, computed by PyTorch's own functions and derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from nnrun.nn import (
    AvgPool2d,
    BatchNorm,
    Bias,
    Convolution,
    Dropout,
    Flatten,
    MatMul,
    MaxPool2d,
    Network,
    Residual,
)
from nnrun.nn.layer import Layer
from nnrun.nn.layers.windows import padding_of
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array

torch.set_num_threads(1)  # these networks are too small to share out

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.01),
    "elu": functional.elu,
    "softplus": lambda x: functional.softplus(x, threshold=100),
    "gelu": functional.gelu,
    "silu": functional.silu,
    "mish": functional.mish,
    "hard_tanh": functional.hardtanh,
    "square": torch.square,
    "linear": lambda x: x,
    "softmax": lambda x: torch.softmax(x, dim=1),
}
LOSSES = {
    "mean_squared": functional.mse_loss,
    "mean_absolute": functional.l1_loss,
    "huber": functional.huber_loss,
    "pinball": lambda y, t: torch.mean(torch.maximum(0.5 * (t - y), -0.5 * (t - y))),
    "poisson": lambda y, t: torch.mean(y - t + torch.xlogy(t, t) - t * torch.log(y)),
    "softmax_cross_entropy": functional.cross_entropy,
    "sigmoid_binary_cross_entropy": lambda z, t: (
        functional.binary_cross_entropy_with_logits(z, t, reduction="sum") / len(z)
    ),
}
# From the parameters, the learning rate and nnrun's optimizer to PyTorch's.
OPTIMIZERS: dict[str, Callable[[list[Any], float, Any], torch.optim.Optimizer]] = {
    "sgd": lambda weights, rate, like: torch.optim.SGD(
        weights, rate, like.momentum, weight_decay=like.weight_decay, nesterov=like.nesterov
    ),
    "adam": lambda weights, rate, like: torch.optim.Adam(
        weights, rate, (like.beta1, like.beta2), like.epsilon, like.weight_decay
    ),
    "adamw": lambda weights, rate, like: torch.optim.AdamW(
        weights, rate, (like.beta1, like.beta2), like.epsilon, like.weight_decay
    ),
    "rmsprop": lambda weights, rate, like: torch.optim.RMSprop(
        weights, rate, like.beta, like.epsilon, like.weight_decay, like.momentum
    ),
}


class TorchTwin:
    """Starts with the network's parameters and buffers, and trains independently."""

    def __init__(self, network: Network, rng: np.random.Generator) -> None:
        self.network = network
        self.rng = rng  # of dropout masks, as the network's own stream
        self.weights = {
            id(parameter): torch.tensor(parameter.value, requires_grad=True)
            for parameter in network.parameters.values()
        }
        self.buffers = {
            id(layer): [torch.tensor(array) for array in layer.buffers.values()]
            for _, layer in network.named_layers()
        }
        self.loss = LOSSES[network.loss.type]

    @property
    def theta(self) -> Array:
        """All parameters in one vector, in the network's order."""
        return np.concatenate([w.detach().numpy().ravel() for w in self.weights.values()])

    @property
    def running(self) -> dict[str, Array]:
        """The buffers under the network's names."""
        arrays = [array.numpy() for arrays in self.buffers.values() for array in arrays]
        return dict(zip(self.network.buffers, arrays, strict=True))

    def forward(self, x: Array, training: bool = True) -> torch.Tensor:
        """What the loss takes: the logits where the network computes both together."""
        return self._all(self.network.active_layers, torch.tensor(x), training)

    @torch.no_grad()
    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        """The loss and the outputs, in evaluation mode."""
        y = self.forward(x, training=False)
        head = self.network.head
        output = y if head is None else ACTIVATIONS[head.type](y)
        return float(self.loss(y, torch.tensor(target))), output.numpy()

    def _all(self, layers: list[Layer], x: torch.Tensor, training: bool) -> torch.Tensor:
        for layer in layers:
            x = self._layer(layer, x, training)
        return x

    def _layer(self, layer: Any, x: torch.Tensor, training: bool) -> torch.Tensor:  # noqa: PLR0912, RUF100  # a case a layer
        w = [self.weights[id(parameter)] for parameter in layer.parameters]
        match layer:
            case MatMul():
                y = x @ w[0]
            case Bias(per="channel") if x.ndim == 4:
                y = x + w[0][:, None, None]
            case Bias():
                y = x + w[0]
            case Convolution():
                (top, bottom), (left, right) = padding_of(
                    layer.padding, layer.input_shape[1:], layer.kernel, layer.stride
                )
                padded = functional.pad(x, (left, right, top, bottom))
                y = functional.conv2d(padded, w[0], stride=layer.stride)
            case MaxPool2d():
                y = functional.max_pool2d(x, layer.size, layer.stride)
            case AvgPool2d():
                y = functional.avg_pool2d(x, layer.size, layer.stride)
            case Flatten():
                y = torch.flatten(x, 1)
            case BatchNorm():
                y = functional.batch_norm(
                    x, *self.buffers[id(layer)], *w, training, layer.momentum, layer.epsilon
                )
            case Dropout():
                y = x * self._mask(layer.rate, x) if training and layer.rate else x
            case Residual():
                y = x + self._all(layer.inner.active_layers, x, training)
            case _ if layer.type in ACTIVATIONS:
                y = ACTIVATIONS[layer.type](x)
            case _:
                raise KeyError(f"{layer.type}: add a case to TorchTwin._layer in {__file__}")
        return y

    def _mask(self, rate: float, x: torch.Tensor) -> torch.Tensor:
        kept = torch.tensor(self.rng.random(tuple(x.shape)) >= rate)
        return kept.to(x.dtype) / (1 - rate)

    def optimizer(self, like: Optimizer, learning_rate: float) -> torch.optim.Optimizer:
        """PyTorch's optimizer with the same settings; without decay of all, in two groups."""
        layers = [layer for _, layer in self.network.named_layers()]
        decaying = [
            id(parameter)
            for layer in layers
            if like.decay_all or isinstance(layer, MatMul | Convolution)
            for parameter in layer.parameters
        ]
        groups: list[Any] = [
            {"params": [w for key, w in self.weights.items() if key in decaying]},
            {"params": [w for key, w in self.weights.items() if key not in decaying]},
        ]
        groups[1]["weight_decay"] = 0.0
        return OPTIMIZERS[like.type](groups, learning_rate, like)

    def step(
        self, x: Array, target: Array, optimizer: torch.optim.Optimizer, clip_norm: float | None
    ) -> float:
        """One update on a batch; the loss before it."""
        optimizer.zero_grad()
        loss = self.loss(self.forward(x), torch.tensor(target))
        loss.backward()
        weights = self.weights.values()
        norm = torch.sqrt(sum(torch.sum(w.grad * w.grad) for w in weights))
        # PyTorch's own clip_grad_norm_ divides by norm + 1e-6.
        if clip_norm is not None and norm > clip_norm:
            for w in weights:
                w.grad *= clip_norm / norm
        optimizer.step()
        return float(loss.detach())
