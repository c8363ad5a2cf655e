"""Any executor of `concurrent.futures` trains a sweep."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context

import pytest

from nnrun.errors import NnrunError
from nnrun.sweeps.pool import PoolCrew
from tests.sweeps.helpers import BOSTON, lasting, make_store, run_inline, weights_of


@pytest.fixture(params=["threads", "processes"])
def executor(request):
    """Those of the standard library, two workers each."""
    if request.param == "threads":
        made = ThreadPoolExecutor(2)
    else:
        made = ProcessPoolExecutor(2, get_context("spawn"))
    with made:
        yield made


def test_the_same_bits_whatever_the_executor(plan, sweep, write, store, tmp_path, executor):
    """As in this process, for each of two configs and three seeds."""
    made = plan(write("iris"), write("boston", BOSTON), seeds=3)
    run_inline(sweep(made, make_store(tmp_path / "inline")))
    tally = sweep(made).run(PoolCrew(executor, workers=2))
    assert (6, 0, 0) == (tally.trained, tally.missing, len(tally.failures))
    expected = weights_of(tmp_path / "inline")
    assert 6 == len(expected)
    assert expected == weights_of(store.root)


def test_what_has_not_begun_is_taken_back(plan, sweep, write, executor):
    """Asked to stop after the first run, a sweep ends with those in hand, and another goes on."""
    made = plan(write("iris", lasting(3000)), seeds=8)
    first = sweep(made, stopped=lambda: bool(first.tally.trained))
    tally = first.run(PoolCrew(executor, workers=2))
    assert 1 <= tally.trained <= 5
    assert 8 - tally.trained == tally.missing
    again = sweep(made).run(PoolCrew(executor, workers=2))
    assert (tally.missing, tally.trained) == (again.trained, again.found)


def test_a_broken_pool_ends_the_sweep(plan, sweep, write):
    """A process pool does not outlive a killed worker; what was finished stays, nothing is held."""
    made = plan(write("iris", lasting(20_000)), seeds=6)
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        first = sweep(made)

        def kill(*_, **__):
            for pid in executor._processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        first.watcher.ended = kill
        with pytest.raises(NnrunError, match="the executor takes no work"):
            first.run(PoolCrew(executor, workers=2))
    tally = run_inline(sweep(made))
    assert tally.found >= 1
    assert 6 == tally.found + tally.trained
