"""Worker processes: what they are sent, what becomes of it when they end, who is blamed."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from math import inf

import pytest

from nnrun.sweeps import choose
from nnrun.sweeps.choose import local_workers, workers_for
from nnrun.sweeps.workers.inline import InlineWorkers
from nnrun.sweeps.workers.job import Job
from nnrun.sweeps.workers.processes import ProcessWorkers
from tests.sweeps.helpers import LONG, lasting, make_store, run_inline, weights_of


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
