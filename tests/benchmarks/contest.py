"""One piece of work, all contestants."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from nnrun.engines.compiled import UnsupportedError
from tests.benchmarks.peers import PEERS, LeftOutError, nnrun
from tests.benchmarks.timing import Stretch, rates
from tests.benchmarks.works import Work


def measure(
    work: Work,
    engines: list[str],
    peers: list[str],
    skipped: dict[str, str],
    *,
    rounds: int,
    seconds: float,
) -> dict[str, float]:
    """Updates per second by contestant; those that cannot run go into `skipped`, with why."""
    contestants = {f"nnrun {engine}": partial(nnrun.prepare, engine=engine) for engine in engines}
    for peer in peers:
        try:
            module = import_module(f"tests.benchmarks.peers.{peer}")
        except ImportError as error:
            skipped[PEERS[peer]] = f"not installed ({error})"
            continue
        contestants[PEERS[peer]] = module.prepare
    stretches: dict[str, Stretch] = {}
    for name, prepare in contestants.items():
        try:
            stretch = prepare(work)
        except (UnsupportedError, FileNotFoundError, LeftOutError) as error:
            skipped[f"{name} ({work.id})"] = str(error)
            continue
        if stretch is not None:
            stretches[name] = stretch
    return rates(stretches, rounds, seconds)
