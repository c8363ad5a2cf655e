"""One piece of work, all contestants."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from nnrun.engines.generated.engine import UnsupportedError
from tests.benchmarks.peers import PEERS, THREADED, LeftOutError, nnrun
from tests.benchmarks.timing import TimedRun, rates
from tests.benchmarks.works import Work

Prepare = Callable[[Work], TimedRun | None]


def contestants(
    engines: list[str], peers: list[str], skipped: dict[str, str]
) -> dict[str, Prepare]:
    """All that are installed, by name, on one thread; of the others `skipped` says why."""
    ours = {f"nnrun {engine}": partial(nnrun.prepare, engine=engine) for engine in engines}
    theirs = {PEERS[peer]: prepare for peer, prepare in _installed(peers, skipped).items()}
    return {**ours, **theirs}


def threaded(peers: list[str], skipped: dict[str, str], threads: int) -> dict[str, Prepare]:
    """The compiled engine on one thread and on several, and the peers that can on several.

    Beside them as many runs at once: what this many cores of this machine give at that moment.
    """
    able = [peer for peer in peers if peer in THREADED]
    return {
        "nnrun": partial(nnrun.prepare, engine="compiled"),
        f"nnrun, {threads} threads": partial(nnrun.prepare, engine="compiled", threads=threads),
        f"nnrun, {threads} runs at once": partial(
            nnrun.prepare_side_by_side, engine="compiled", copies=threads
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
            found[peer] = import_module(f"tests.benchmarks.peers.{peer}").prepare
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
