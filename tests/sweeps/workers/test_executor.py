"""Any executor of `concurrent.futures` trains a sweep."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context

import pytest

from nnrun.errors import NnrunError
from nnrun.sweeps.workers.base import ExecutorWorkers
from tests.sweeps.helpers import BOSTON, lasting, make_store, run_inline, weights_of

KINDS = {
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(2, get_context("spawn")),
}


@pytest.fixture(scope="module")
def started():
    """Executors by their kinds, since processes import for a second."""
    found = {}
    yield found
    for one in found.values():
        one.shutdown()


@pytest.fixture(params=KINDS)
def executor(request, started):
    """Those of the standard library, two workers each."""
    if request.param not in started:
        started[request.param] = KINDS[request.param]()
    return started[request.param]


def test_the_same_bits_whatever_the_executor(plan, sweep, write, store, tmp_path, executor):
    """As in this process, for each of two configs and three seeds."""
    made = plan(write("iris"), write("boston", BOSTON), seeds=3)
    run_inline(sweep(made, make_store(tmp_path / "inline")))
    progress = sweep(made).run(ExecutorWorkers(executor, workers=2))
    assert (6, 0, 0) == (progress.trained, progress.missing, len(progress.failures))
    expected = weights_of(tmp_path / "inline")
    assert 6 == len(expected)
    assert expected == weights_of(store.root)


def test_what_has_not_begun_is_taken_back(plan, sweep, write, executor):
    """Asked to stop after the first run, a sweep ends with those in hand, and another goes on."""
    made = plan(write("iris", lasting(3000)), seeds=8)
    first = sweep(made, stopped=lambda: bool(first.progress.trained or first._ends.saving))
    progress = first.run(ExecutorWorkers(executor, workers=2))
    assert 1 <= progress.trained <= 5
    assert 8 - progress.trained == progress.missing
    again = sweep(made).run(ExecutorWorkers(executor, workers=2))
    assert (progress.missing, progress.trained) == (again.trained, again.found)


@pytest.mark.parametrize("executor", ["processes"], indirect=True)
def test_a_broken_pool_ends_the_sweep(plan, sweep, write, executor, started):
    """A process pool does not outlive a killed worker; what was finished stays, nothing is held."""
    made = plan(write("iris", lasting(8000)), seeds=6)
    first = sweep(made)

    def kill(*_, **__):
        for pid in executor._processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    first.listener.ended = kill
    with pytest.raises(NnrunError, match="the executor takes no work"):
        first.run(ExecutorWorkers(executor, workers=2))
    started.pop("processes").shutdown()
    progress = run_inline(sweep(made))
    assert progress.found >= 1
    assert 6 == progress.found + progress.trained
