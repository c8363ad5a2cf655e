"""nnrun itself: one of its engines on one piece of work."""

from __future__ import annotations

import numpy as np

from nnrun.engines.base import Batches
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.nn import LOSSES, SGD, Network, conv2d, dense
from nnrun.nn.layers import Flatten as FlattenLayer
from nnrun.nn.layers import Layer, MaxPool2d
from tests.benchmarks.timing import Stretch
from tests.benchmarks.works import Conv, Dense, Flatten, Work


def build(work: Work) -> Network:
    """The work's network, initialized."""
    blocks: list[Layer | list[Layer]] = []
    for layer in work.layers:
        if isinstance(layer, Dense):
            blocks.append(dense(layer.units, layer.activation))
        elif isinstance(layer, Conv):
            blocks.append(conv2d(layer.channels, bias=layer.bias, activation=layer.activation))
        else:
            blocks.append(FlattenLayer() if isinstance(layer, Flatten) else MaxPool2d())
    network = Network(blocks, LOSSES[work.loss](), work.input_shape, work.dtype)
    network.initialize(rng=np.random.default_rng(0))
    return network


def prepare(work: Work, engine: str) -> Stretch | None:
    """Training by the engine of this name."""
    network, optimizer = build(work), SGD()
    optimizer.allocate(network.theta)
    kind, iterations = NumpyEngine, work.few_iterations
    if engine == "compiled":
        from nnrun.engines.compiled import CompiledEngine

        kind, iterations = CompiledEngine, work.iterations
    trainer = kind(network, optimizer, *work.data, rng=np.random.default_rng(0))
    count = iterations * work.batch_size
    batches = Batches(
        rows=work.order[:count],
        bounds=np.arange(0, count + 1, work.batch_size),
        rates=np.full(iterations, work.rate),
    )
    return Stretch(lambda: trainer.run(batches), iterations)
