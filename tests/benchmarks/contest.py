"""One piece of work, all contestants: they run in turn, and medians of rounds are compared."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from statistics import median

import numpy as np

from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import UnsupportedError
from nnrun.engines.selection import build_engine
from nnrun.nn import LOSSES, SGD, AvgPool2d, MaxPool2d, Network, conv2d, dense, layers
from tests.benchmarks.peers import PEERS, THREADED, WAYS, LeftOutError
from tests.benchmarks.works import Conv, Dense, Pool, Work
from tests.benchmarks.works import Layer as Described


@dataclass(frozen=True)
class TimedRun:
    """What is timed: `run` makes `iterations` updates."""

    run: Callable[[], object]
    iterations: int


def rates(timed: dict[str, TimedRun], rounds: int, seconds: float) -> dict[str, float]:
    """Iterations per second of each contestant, medians over the rounds.

    Args:
        timed: contestants by name.
        rounds: how often each one runs; in every round all of them do, so that a machine that
            slows down for a while slows all of them.
        seconds: how long one contestant runs in a round, at least.
    """
    repeats = {name: _calibrate(one, seconds) for name, one in timed.items()}
    measured: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, one in timed.items():
            elapsed = _elapsed(one, repeats[name])
            measured[name].append(repeats[name] * one.iterations / elapsed)
    return {name: median(values) for name, values in measured.items()}


@contextmanager
def one_core() -> Iterator[None]:
    """One core for all processes that start meanwhile, so that moving to another core costs no one.

    JAX has threads of its own, too, whatever its settings.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _calibrate(one: TimedRun, seconds: float) -> int:
    """How many calls fill the time; the first call, which may compile, does not count."""
    one.run()
    return max(1, round(seconds / _elapsed(one, 1)))


def _elapsed(one: TimedRun, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        one.run()
    return time.perf_counter() - start


# nnrun itself: one of its engines on one piece of work.

POOLS = {"max": MaxPool2d, "average": AvgPool2d}


def build_nnrun(work: Work) -> Network:
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


def prepare_nnrun(work: Work, engine: str, threads: int = 1) -> TimedRun:
    """Training by the engine of this name.

    Raises:
        UnsupportedError: the engine cannot train this.
    """
    network, optimizer = build_nnrun(work), SGD()
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
    timed = [prepare_nnrun(work, engine) for _ in range(copies)]
    pool = ThreadPoolExecutor(copies)

    def run() -> None:
        for done in [pool.submit(one.run) for one in timed]:
            done.result()

    return TimedRun(run, sum(one.iterations for one in timed))


Prepare = Callable[[Work], TimedRun | None]


def contestants(
    engines: list[str], peers: list[str], skipped: dict[str, str]
) -> dict[str, Prepare]:
    """All that are installed, by name, on one thread; of the others `skipped` says why."""
    ours = {f"nnrun {engine}": partial(prepare_nnrun, engine=engine) for engine in engines}
    theirs = {PEERS[peer]: prepare for peer, prepare in _installed(peers, skipped).items()}
    return {**ours, **theirs}


def threaded(peers: list[str], skipped: dict[str, str], threads: int) -> dict[str, Prepare]:
    """The compiled engine on one thread and on several, and the peers that can on several.

    Beside them as many runs at once: what this many cores of this machine give at that moment.
    """
    able = [peer for peer in peers if peer in THREADED]
    return {
        "nnrun": partial(prepare_nnrun, engine="compiled"),
        f"nnrun, {threads} threads": partial(prepare_nnrun, engine="compiled", threads=threads),
        f"nnrun, {threads} runs at once": partial(
            prepare_side_by_side, engine="compiled", copies=threads
        ),
        **{
            f"{PEERS[peer]}, {threads} threads": partial(prepare, threads=threads)
            for peer, prepare in _installed(able, skipped).items()
        },
    }


def _installed(peers: list[str], skipped: dict[str, str]) -> dict[str, Prepare]:
    found = {}
    for peer in peers:
        try:
            module, function = WAYS.get(peer, (peer, "prepare"))
            found[peer] = getattr(import_module(f"tests.benchmarks.peers.{module}"), function)
        except ImportError as error:
            skipped[PEERS[peer]] = f"not installed ({error})"
    return found


def measure(
    work: Work,
    contestants: dict[str, Prepare],
    skipped: dict[str, str],
    *,
    rounds: int,
    seconds: float,
) -> dict[str, float]:
    """Updates per second by contestant; those that cannot run go into `skipped`, with why."""
    timed: dict[str, TimedRun] = {}
    for name, prepare in contestants.items():
        try:
            one = prepare(work)
        except (UnsupportedError, FileNotFoundError, LeftOutError) as error:
            skipped[f"{name} ({work.id})"] = str(error)
            continue
        if one is not None:
            timed[name] = one
    return rates(timed, rounds, seconds)
