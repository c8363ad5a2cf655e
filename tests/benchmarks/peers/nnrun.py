"""nnrun itself: one of its engines on one piece of work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nnrun.engines.base import Batches
from nnrun.engines.selection import build_engine
from nnrun.nn import LOSSES, SGD, AvgPool2d, MaxPool2d, Network, conv2d, dense, layers
from tests.benchmarks.layers import Conv, Dense, Pool
from tests.benchmarks.layers import Layer as Described
from tests.benchmarks.timing import TimedRun
from tests.benchmarks.works import Work

POOLS = {"max": MaxPool2d, "average": AvgPool2d}


def build(work: Work) -> Network:
    """The work's network, initialized."""
    blocks = [_block(layer) for layer in work.layers]
    network = Network(blocks, LOSSES[work.loss](), work.input_shape, work.dtype)
    network.initialize(rng=np.random.default_rng(0))
    return network


def _block(layer: Described) -> layers.Layer | list[layers.Layer]:
    if isinstance(layer, Dense):
        return dense(layer.units, layer.activation)
    if isinstance(layer, Pool):
        return POOLS[layer.kind]()
    if isinstance(layer, Conv):
        return conv2d(
            layer.channels,
            layer.kernel,
            padding=layer.padding,
            bias=layer.bias,
            activation=layer.activation,
        )
    return layers.Flatten()


def prepare(work: Work, engine: str, threads: int = 1) -> TimedRun:
    """Training by the engine of this name.

    Raises:
        UnsupportedError: the engine cannot train this.
    """
    network, optimizer = build(work), SGD()
    optimizer.allocate(network.theta)
    rng = np.random.default_rng(0)
    iterations = work.few_iterations if engine == "numpy" else work.iterations
    count = iterations * work.batch_size
    batches = Batches(
        rows=work.order[:count],
        bounds=np.arange(0, count + 1, work.batch_size),
        rates=np.full(iterations, work.rate),
    )
    trainer = build_engine(
        engine, network, optimizer, *work.data,
        rng=rng, clip_norm=None, batch_size=work.batch_size,
        **({"threads": threads} if threads > 1 else {}),
    )  # fmt: skip
    return TimedRun(lambda: trainer.run(batches), iterations)


def prepare_side_by_side(work: Work, engine: str, copies: int) -> TimedRun:
    """This many trainings on a thread each, which share nothing: what the cores give at most."""
    timed = [prepare(work, engine) for _ in range(copies)]
    pool = ThreadPoolExecutor(copies)

    def run() -> None:
        for done in [pool.submit(one.run) for one in timed]:
            done.result()

    return TimedRun(run, sum(one.iterations for one in timed))
