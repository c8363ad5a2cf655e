"""Worker processes: what they are sent, what becomes of it when they end, who is blamed."""

from __future__ import annotations

import errno
import json
import os
import pickle
import resource
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from math import inf
from threading import Thread

import pytest

from nnrun import child
from nnrun import pool as process_main
from nnrun.errors import NnrunError
from nnrun.runs.catalog.index import RunIndex
from nnrun.runs.storage import group_commit, staged
from nnrun.sweeps import sweep as choose
from nnrun.sweeps.sweep import local_workers, workers_for
from nnrun.sweeps.workers import job as jobs
from nnrun.sweeps.workers.base import ExecutorWorkers, InlineWorkers, ProcessWorkers
from nnrun.sweeps.workers.job import Job
from tests.sweeps.helpers import (
    IRIS,
    LONG,
    Observed,
    in_hand,
    instead_of_run,
    killing,
    lasting,
    make_store,
    run_inline,
    run_processes,
    weights_of,
)


def test_short_runs_are_sent_ahead_and_long_ones_are_not(plan, sweep, write):
    """A worker need not wait for the next short run; a long one is for who is free first."""
    seen = []

    def look(workers):
        for worker in workers._workers:
            seen.append(len(worker.tasks))
            assert len(worker.tasks) < 2 or all(one.task.is_short for one in worker.tasks)

    # Enough short ones for both workers, should both have ended their last long one.
    made = plan(write("short", lasting(60)), write("long", lasting(5000)), seeds=8)
    progress = sweep(made).run(Observed(2, look))
    assert (16, 0) == (progress.trained, len(progress.failures))
    assert 4 == max(seen)


def test_runs_behind_that_of_a_killed_worker_are_not_blamed(plan, sweep, write, store, tmp_path):
    """They go to another worker as if they had not been sent; all have the same bits."""
    made = plan(write("iris"), seeds=12)
    run_inline(sweep(made, make_store(tmp_path / "whole")))
    killed = sweep(made)
    progress = killed.run(Observed(1, killing(lambda count: count > 2)))
    assert (12, 0) == (progress.trained, len(progress.failures))
    assert ["its worker ended by signal 9"] == killed.listener.of("retried")
    assert weights_of(tmp_path / "whole") == weights_of(store.root)


# Worker processes that end, in their own words: `main` is what is called there.
ENDS_AFTER_RESULT = """
import os
from nnrun.pool import _SocketChannel
from nnrun.sweeps.workers.base import main

real, taken = _SocketChannel.next_task, []

def next_task(channel):
    if 6 in taken:  # and its result was sent
        os._exit(3)
    job, dataset = real(channel)
    taken.append(job.replicate.seed)
    return job, dataset

_SocketChannel.next_task = next_task
"""


def test_messages_of_a_worker_before_its_end_count(plan, sweep, write, worker_module):
    """No run is trained again that it had ended, and none is blamed that it was not sent."""
    worker_module(ENDS_AFTER_RESULT)
    ended = []

    def look(workers):
        if not ended and in_hand(workers) == [4]:
            ended.append(workers._workers[0].process.wait())

    whole = sweep(plan(write("iris"), seeds=12))
    progress = whole.run(Observed(1, look))
    assert ([3], 12, 0) == (ended, progress.trained, len(progress.failures))
    assert [] == whole.listener.of("retried")


RETIRING = """
from nnrun.compiler import cache
from nnrun.sweeps.workers.base import main

cache._MOST_COMPILED = 0
"""


def test_a_worker_that_has_compiled_much_is_replaced(plan, sweep, write, worker_module):
    """LLVM frees its memory with the process alone; no run is lost or trained twice by that."""
    worker_module(RETIRING)
    pids = set()

    def look(workers):
        pids.update(worker.process.pid for worker in workers._workers)

    whole = sweep(plan(write("iris"), seeds=6))
    progress = whole.run(Observed(1, look))
    assert (6, 0) == (progress.trained, len(progress.failures))
    assert [] == whole.listener.of("retried") + whole.listener.of("warned")
    assert len(pids) > 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_ends_its_workers_is_blamed_alone(plan, sweep, write, worker_module, workers):
    """However many results of others are still to be taken when that is noticed."""
    worker_module(instead_of_run(15, "os._exit(3)"))
    made, blamed = sweep(plan(write("iris"), seeds=40)), []
    made.listener.ended = lambda *_, **__: time.sleep(0.05)
    made.listener.retried = lambda run, _: blamed.append(run.seed)
    progress = made.run(ProcessWorkers(workers))
    assert [15, 15] == blamed
    (failure,) = progress.failures
    assert "tried 3 times, each time its worker ended with exit code 3" == failure.reason
    assert 39 == progress.trained


def test_what_is_sent_ahead_has_room(worker_module, monkeypatch):
    """Where sockets hold little: else both ends might wait for one another to read."""

    def small_pair():
        pair = socket.socketpair()
        for end in pair:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        return pair

    worker_module("import signal\n\ndef main(_):\n    signal.pause()\n")
    monkeypatch.setattr(child, "socketpair", small_pair)
    process, connection = child.start("worker_module", os.environ)
    os.set_blocking(connection.fileno(), False)
    job = Job("iris/s1", "€" * (1 << 14), 1, "s1", "data", seconds=0.001)
    try:
        assert job.is_short
        for _ in range(3):
            connection.send_bytes(pickle.dumps((job, None)))
    finally:
        process.kill()
        process.wait()
        connection.close()


def test_a_worker_that_ends_before_it_is_ready_costs_no_attempt(plan, sweep, write, slow_workers):
    """No run has had to do with it; another worker is started."""
    made = plan(write("iris"), seeds=4)
    killed = sweep(made)
    progress = killed.run(Observed(1, killing(lambda count: count == 0)))
    assert (4, 0) == (progress.trained, len(progress.failures))
    assert [] == killed.listener.lines[4:]


def test_workers_that_end_before_they_are_ready(plan, sweep, write, store, slow_workers):
    """Only a few are started; no run is reported as failed."""
    killed = []

    def look(workers):
        for worker in workers._workers:
            killed.append(worker.process.pid)
            os.kill(killed[-1], signal.SIGKILL)

    made = plan(write("iris"), seeds=20)
    with pytest.raises(NnrunError, match=r"^no worker can be started: the last one ended by"):
        sweep(made).run(Observed(1, look))
    assert 3 == len({*killed})
    assert [] == [*store.root.glob("*/*")]
    assert 20 == sweep(made).run(ProcessWorkers(1)).trained


def refusing(monkeypatch, allowed):
    """This many processes can be started, and no more."""
    real, started = child.start, []

    def start(*arguments):
        if len(started) == allowed:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(child, "start", start)


def test_fewer_processes_than_wanted(plan, sweep, write, monkeypatch):
    """Those that there are train all runs, and it is said."""
    refusing(monkeypatch, 1)
    few = sweep(plan(write("iris"), seeds=20))
    progress = few.run(ProcessWorkers(3))
    assert (20, 0) == (progress.trained, len(progress.failures))
    expected = "only 1 of 3 workers can be started: Resource temporarily unavailable"
    assert [expected] == few.listener.of("warned")
    assert [] == few.listener.of("retried")


def test_no_process_can_be_started(plan, sweep, write, monkeypatch):
    """This one trains, and says so."""
    refusing(monkeypatch, 0)
    alone = sweep(plan(write("iris"), seeds=2))
    assert 2 == alone.run(local_workers(alone, 2)).trained
    expected = "no worker can be started (Resource temporarily unavailable): this process trains"
    assert [expected] == alone.listener.of("warned")


def test_no_process_can_be_started_any_more(plan, sweep, write, store, monkeypatch):
    """The sweep ends; untrained runs are not reported as failed."""
    refusing(monkeypatch, 1)
    with pytest.raises(NnrunError, match=r"^no worker can be started: Resource"):
        sweep(plan(write("iris"), seeds=12)).run(Observed(1, killing(lambda count: count > 2)))
    assert {"completed"} >= {
        json.loads(path.read_text())["status"] for path in store.root.glob("*/*/report.json")
    }


def test_no_thread_can_be_started(plan, sweep, write, store, monkeypatch):
    """Results are stored by the one that there is, and nothing waits for ever."""

    def refused(thread):
        raise RuntimeError("can't start new thread")

    threads = (group_commit._thread, staged._threads)
    for kept in threads:
        kept.cache_clear()
    monkeypatch.setattr(Thread, "start", refused)
    progress = run_inline(sweep(plan(write("iris"), seeds=4)))
    for kept in threads:
        kept.cache_clear()
    assert (4, 0) == (progress.trained, len(progress.failures))
    assert 4 == len(weights_of(store.root))


class Unsendable:
    """Data for which there is not enough memory when they are sent."""

    def __reduce__(self):
        raise MemoryError


def test_data_that_cannot_be_sent(plan, sweep, write, store, tmp_path):
    """Their run has failed, as nothing was sent; the worker trains the others, each as itself."""
    made = plan(write("iris"), write("digits", IRIS.replace("iris, features: standard", "wine")))
    whole = make_store(tmp_path / "whole")
    run_inline(sweep(made, whole))
    spoilt = sweep(made)
    load = spoilt._dataset
    spoilt._dataset = lambda run: Unsendable() if run.variant.name == "digits" else load(run)
    progress = spoilt.run(ProcessWorkers(1))
    assert 1 == progress.trained
    assert ["there is not enough memory"] == [failure.reason for failure in progress.failures]
    run_processes(sweep(made), 1)
    assert weights_of(whole.root) == weights_of(store.root)


def test_a_result_that_cannot_be_sent(monkeypatch):
    """Its run has failed, and not the worker."""
    monkeypatch.setattr(jobs, "execute_job", lambda *_: Unsendable())
    job = Job("iris/s1", "{}", 1, "s1", "data")
    expected = ("error", ("there is not enough memory", ""))
    assert expected == pickle.loads(process_main._answer(job, None, None))


def test_workers_end_where_the_sweep_cannot_begin(plan, sweep, write, monkeypatch):
    """As where the index of the results cannot be read."""

    def broken(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(RunIndex, "refresh", broken)
    workers = ProcessWorkers(1)
    (worker,) = workers._workers
    with pytest.raises(OSError, match="Input/output error"):
        sweep(plan(write("iris"))).run(workers)
    assert -signal.SIGKILL == worker.process.returncode


class AllAtOnce(ExecutorWorkers):
    """Workers whose results are looked at once all have come."""

    def wait(self, awaited, seconds):
        wait(awaited)


def test_few_files_may_be_open(plan, sweep, write, monkeypatch):
    """As many runs are in hand, and processes there, as there is room for; none fails."""
    made = plan(write("iris", lasting(3)), seeds=200)
    monkeypatch.setattr(choose, "cores", lambda: 64)
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 128, most))
    try:
        workers = workers_for(made, 64)
        with ThreadPoolExecutor(1) as threads:
            progress = sweep(made).run(AllAtOnce(threads, workers=100))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    assert (200, []) == (progress.trained, progress.failures)
    assert 5 == workers


def test_stopped_with_runs_sent_ahead(plan, sweep, write, store):
    """What a worker has not begun comes back; the next sweep trains the rest."""
    made = plan(write("iris"), seeds=20)
    stopped = sweep(made, stopped=lambda: stopped.progress.trained or stopped._ends.saving)
    progress = stopped.run(ProcessWorkers(1))
    assert 0 < progress.trained < 20
    assert 0 == len(progress.failures)
    rest = sweep(made).run(ProcessWorkers(1))
    assert (20 - progress.trained, progress.trained) == (rest.trained, rest.found)
    assert 20 == len(weights_of(store.root))


@pytest.mark.parametrize(
    ("change", "is_short"),
    [({}, True), ({"seconds": 1.0}, False), ({"config": "x" * 20_000}, False)],
)
def test_what_a_busy_worker_is_sent(change, is_short):
    """Nothing that fills the socket while it reads nothing, or waits long for its turn."""
    job = replace(Job("iris/s1", "{}", 1, "s1", "data", seconds=0.001), **change)
    assert is_short == job.is_short
    assert not replace(job, seconds=inf).is_short


def test_who_trains_many_tiny_runs(plan, sweep, write, monkeypatch):
    """One process trains while this one stores, where there is a core for each; no more help."""
    available = {0, 1, 2, 3}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: available)
    monkeypatch.setattr(choose, "ProcessWorkers", lambda workers: workers)
    once = "training.evaluate_every=60"
    many, few = plan(write("many"), once, seeds=1000), plan(write("few"), once, seeds=50)
    assert 1 == workers_for(many, None)
    assert 1 == local_workers(sweep(many), 1)
    assert isinstance(local_workers(sweep(few), 1), InlineWorkers)
    assert 4 == workers_for(plan(write("long", LONG), seeds=1000), None)
    available = {0}
    assert isinstance(local_workers(sweep(many), 1), InlineWorkers)


ENDLESS = """
import time
from nnrun.sweeps.workers import job
from nnrun.sweeps.workers.base import main

job.execute_job = lambda *_: time.sleep(600)
"""


def test_a_worker_that_is_lost_after_the_stop_is_not_replaced(
    plan, sweep, write, worker_module, monkeypatch
):
    """Its runs come back at once, those that were sent ahead as well."""
    worker_module(ENDLESS)
    started, start = [], child.start

    def started_once(*arguments):
        started.append(start(*arguments))
        return started[-1]

    monkeypatch.setattr(child, "start", started_once)

    class Killed(ProcessWorkers):
        def stop(self):
            held.extend(in_hand(self))
            os.kill(started[0][0].pid, signal.SIGKILL)
            super().stop()

    held = []
    workers = Killed(1)
    stopped = sweep(plan(write("iris"), seeds=20), stopped=lambda: in_hand(workers) == [4] or held)
    progress = stopped.run(workers)
    assert ([4], 1) == (held, len(started))
    assert (0, 0) == (progress.trained, len(progress.failures))
