"""One piece of work, all contestants."""

from __future__ import annotations

from importlib import import_module

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
    """Updates per second by contestant; peers that are not installed go into `skipped`."""
    stretches: dict[str, Stretch] = {}
    nnrun = import_module("tests.benchmarks.peers.nnrun")
    for engine in engines:
        stretches[f"nnrun {engine}"] = nnrun.prepare(work, engine)
    for peer in peers:
        try:
            stretch = import_module(f"tests.benchmarks.peers.{peer}").prepare(work)
        except (ImportError, FileNotFoundError) as error:
            skipped[peer] = f"not installed ({error})"
            continue
        if stretch is not None:
            stretches[peer] = stretch
    return rates(stretches, rounds, seconds)
