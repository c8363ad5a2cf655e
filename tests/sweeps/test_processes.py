"""Worker processes: what they are sent, what becomes of it when they end, who is blamed."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import time
from dataclasses import replace
from math import inf

import pytest

from nnrun import child
from nnrun.sweeps import choose
from nnrun.sweeps.choose import local_workers, workers_for
from nnrun.sweeps.sweep import Sweep
from nnrun.sweeps.workers import processes
from nnrun.sweeps.workers.inline import InlineWorkers
from nnrun.sweeps.workers.job import Job
from nnrun.sweeps.workers.processes import ProcessWorkers
from tests.sweeps.helpers import BOSTON, LONG, lasting, make_store, run_inline, weights_of


class Observed(ProcessWorkers):
    """Processes whose runs in hand can be looked at whenever the sweep waits."""

    def __init__(self, workers, look):
        super().__init__(workers)
        self.look = look

    def wait(self, awaited, seconds):
        self.look(self)
        super().wait(awaited, seconds)


def in_hand(workers):
    return [len(worker.tasks) for worker in workers._workers]


def killing(when):
    """Kills the first process, once, as soon as it has so many runs in hand."""
    killed = []

    def look(workers):
        if not killed and workers._workers and when(in_hand(workers)[0]):
            killed.append(workers._workers[0].process.pid)
            os.kill(killed[0], signal.SIGKILL)

    return look


def test_short_runs_are_sent_ahead_and_long_ones_are_not(plan, sweep, write):
    """A worker need not wait for the next short run; a long one is for who is free first."""
    most = {}
    for name, config, seeds in (("short", lasting(60), 20), ("long", lasting(5000), 6)):
        seen = []
        workers = Observed(2, lambda workers, seen=seen: seen.extend(in_hand(workers)))
        progress = sweep(plan(write(name, config), seeds=seeds)).run(workers)
        assert (seeds, 0) == (progress.trained, len(progress.failures))
        most[name] = max(seen)
    assert most["short"] > 1
    assert 1 == most["long"]


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
from nnrun.sweeps.workers.process_main import _SocketChannel, main

real = _SocketChannel.send

def send(channel, kind, content):
    real(channel, kind, content)
    if kind == "result" and content.record.seed == 6:
        os._exit(3)

_SocketChannel.send = send
"""
ENDS_IN_RUN = """
import os
from nnrun.sweeps.workers import process_main
from nnrun.sweeps.workers.process_main import main

real = process_main.execute_job

def execute_job(job, *more):
    if job.seed == 15:
        os._exit(3)
    return real(job, *more)

process_main.execute_job = execute_job
"""


@pytest.fixture
def ending(tmp_path, monkeypatch):
    """Makes worker processes run this text."""

    def write(text):
        (tmp_path / "ending.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(processes, "_MODULE", "ending")

    return write


def test_what_a_worker_told_before_its_end_counts(plan, sweep, write, ending):
    """No run is trained again that it had ended, and none is blamed that it was not sent."""
    ending(ENDS_AFTER_RESULT)
    ended = []

    def look(workers):
        if not ended and in_hand(workers) == [4]:
            ended.append(workers._workers[0].process.wait())

    whole = sweep(plan(write("iris"), seeds=12))
    progress = whole.run(Observed(1, look))
    assert ([3], 12, 0) == (ended, progress.trained, len(progress.failures))
    assert [] == whole.listener.of("retried")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_ends_its_workers_is_blamed_alone(plan, sweep, write, ending, workers):
    """However many results of others are still to be taken when that is noticed."""
    ending(ENDS_IN_RUN)
    made, blamed = sweep(plan(write("iris"), seeds=40)), []
    made.listener.ended = lambda *_, **__: time.sleep(0.05)
    made.listener.retried = lambda run, _: blamed.append(run.seed)
    progress = made.run(ProcessWorkers(workers))
    assert [15, 15] == blamed
    (failure,) = progress.failures
    assert "tried 3 times, each time its worker ended with exit code 3" == failure.reason
    assert 39 == progress.trained


def test_what_is_sent_ahead_has_room(ending, monkeypatch):
    """Where sockets hold little: else both ends might wait for one another to read."""

    def small_pair():
        pair = socket.socketpair()
        for end in pair:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        return pair

    ending("import signal\n\ndef main(_):\n    signal.pause()\n")
    monkeypatch.setattr(child, "socketpair", small_pair)
    process, connection = child.start("ending", os.environ)
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


def test_data_that_cannot_be_sent_fail_their_run(plan, sweep, write, monkeypatch):
    """Where a copy of them is more than there is memory, say; the worker has the others."""
    made = plan(write("a", BOSTON), write("b"), seeds=2)
    first, real = next(made.runs()), Sweep._dataset

    class Huge:
        def __reduce__(self):
            raise MemoryError

    def dataset(self, run):
        return Huge() if run == first else real(self, run)

    monkeypatch.setattr(Sweep, "_dataset", dataset)
    progress = sweep(made).run(ProcessWorkers(1))
    assert ["there is not enough memory"] == [failure.reason for failure in progress.failures]
    assert 3 == progress.trained


def test_a_worker_that_ends_before_it_is_ready_costs_one_attempt(plan, sweep, write):
    """Else a machine on which none starts would start them for ever."""
    made = plan(write("iris"), seeds=4)
    killed = sweep(made)
    progress = killed.run(Observed(1, killing(lambda count: count == 0)))
    assert (4, 0) == (progress.trained, len(progress.failures))
    assert 1 == len(killed.listener.of("retried"))


def test_no_process_can_be_started(plan, sweep, write, monkeypatch):
    """Each run is tried as often as one whose worker is lost, and then has failed."""

    def refused(*_):
        raise OSError("no more processes")

    monkeypatch.setattr("nnrun.sweeps.workers.processes.child.start", refused)
    progress = sweep(plan(write("iris"), seeds=2)).run(ProcessWorkers(2))
    reason = "tried 3 times, each time no worker could be started: no more processes"
    assert [reason, reason] == [failure.reason for failure in progress.failures]


def test_stopped_with_runs_sent_ahead(plan, sweep, write, store):
    """What a worker has not begun comes back; the next sweep trains the rest."""
    made = plan(write("iris"), seeds=20)
    trained = []
    stopped = sweep(made, stopped=lambda: len(trained) > 0)
    stopped.listener.ended = lambda run, *_, **__: trained.append(run)
    progress = stopped.run(ProcessWorkers(1))
    assert 0 < progress.trained < 20
    assert 0 == len(progress.failures)
    rest = sweep(made).run(ProcessWorkers(1))
    assert (20 - progress.trained, progress.trained) == (rest.trained, rest.found)
    assert 20 == len(weights_of(store.root))


def test_a_worker_that_is_lost_after_the_stop_is_not_replaced(plan, sweep, write, monkeypatch):
    """Its runs come back at once, those that were sent ahead as well."""
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
    many, few = plan(write("many"), seeds=1000), plan(write("few"), seeds=50)
    assert 1 == workers_for(many, None)
    assert 1 == local_workers(sweep(many), 1)
    assert isinstance(local_workers(sweep(few), 1), InlineWorkers)
    assert 4 == workers_for(plan(write("long", LONG), seeds=1000), None)
    available = {0}
    assert isinstance(local_workers(sweep(many), 1), InlineWorkers)
