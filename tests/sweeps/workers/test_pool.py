"""The pool of workers, and executors."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from threading import Event, Thread
from time import monotonic
from types import SimpleNamespace

import pytest

import nnrun
from nnrun.cli.output import Output
from nnrun.config.load import load_config
from nnrun.errors import NnrunError
from nnrun.pool import LostTogetherError, Message, WorkerLostError
from nnrun.reports.live.runs import Runs
from nnrun.reports.live.work import Log
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import execute
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.record import Replicate
from nnrun.sweeps.workers import dask, dask_tasks
from nnrun.sweeps.workers import dask as batch
from nnrun.sweeps.workers import dask_tasks as dask_client
from nnrun.sweeps.workers.base import ExecutorWorkers, InlineWorkers
from nnrun.sweeps.workers.dask import DaskWorkers
from nnrun.sweeps.workers.job import Job, versions
from tests.sweeps.cluster import Pool
from tests.sweeps.helpers import BOSTON, IRIS, lasting, make_store, run_inline, until, weights_of
from tests.waiting import PATIENCE_SECONDS

# Clusters whose workers come and go: no run is lost, and none is trained twice without reason.


@pytest.fixture(scope="module")
def pool():
    running = Pool()
    yield running
    running.close()


@pytest.fixture(scope="module")
def connected(pool):
    """A client of the pool."""
    import distributed

    with distributed.Client(pool.address, set_as_default=False) as client:
        yield client


@pytest.fixture
def begin(pool, connected, tmp_path):
    """Starts a sweep on the pool in a thread; its future gives the board."""
    pool.ask("counts")
    with ThreadPoolExecutor(1) as thread:

        def start(*files, seeds=1, results=tmp_path / "results", **given):
            return thread.submit(
                nnrun.sweep, files, seeds=seeds, executor=connected, results=results, **given
            )

        yield start
    pool.ask("scale", 0)


def done(sweep: Future) -> int:
    """How many runs a sweep has trained; the others are not complete."""
    board = sweep.result(60)
    assert [] == [*board.failures]
    return board.trained


def test_no_worker_at_first(pool, begin, write, plan, sweep, tmp_path):
    """A pool of none grows for a sweep, and gives the same bits as this process."""
    files = [write("iris"), write("other", lasting(400))]
    pool.ask("adapt", 0, 2)
    assert 8 == done(begin(*files, seeds=4))
    assert {1} == {*pool.ask("counts")["trained"].values()}
    run_inline(sweep(plan(*files, seeds=4), make_store(tmp_path / "inline")))
    assert weights_of(tmp_path / "inline") == weights_of(tmp_path / "results")


def test_workers_join_and_retire(pool, begin, write, plan, tmp_path):
    """No run is lost, and only those in the hands of a worker that retires are begun twice."""
    pool.ask("scale", 1)
    file = write("iris", lasting(3000))
    found = begin(file, seeds=20)
    for step, workers in enumerate((3, 1, 2)):
        until(lambda step=step: len(stored(tmp_path)) > 4 * step, seconds=60)
        pool.ask("scale", workers)
    assert 20 == done(found)
    counts = pool.ask("counts")
    assert 20 == len(counts["trained"])
    # Two retire; each may have a task in progress, and one whose results were not fetched yet.
    (variant,) = plan(file).variants
    in_a_task = max(1, int(dask._BATCH_SECONDS / variant.estimate.seconds))
    assert 20 + 2 * 2 * in_a_task >= sum(counts["trained"].values())
    assert max(counts["data"].values(), default=0) <= 1  # one worker may do all


def stored(root):
    return [*root.glob("results/iris/*/report.json")]


class Losing(InlineWorkers):
    """Loses its first runs, each time after a checkpoint if there is one to send."""

    lost = (WorkerLostError,)

    def __init__(self, sweep, checkpoint=None, errors=(WorkerLostError,) * 5):
        super().__init__(sweep.receive, sweep.stopping)
        self.errors = [*errors]
        self.alone = []
        self.checkpoint = checkpoint

    def submit(self, job, load):
        self.alone.append(job.alone)
        if not self.errors:
            return super().submit(job, load)
        if self.checkpoint is not None:
            self._handle(Message(job.key, self.checkpoint))
        future = Future()
        future.set_exception(self.errors.pop(0)("its worker was lost"))
        return future


def test_a_run_that_gets_further_is_not_given_up(plan, sweep, write, tmp_path):
    """However often its workers leave; one that does not is given up after three."""
    file = write("iris")
    stuck = sweep(plan(file), make_store(tmp_path / "stuck"))
    assert 1 == stuck.run(Losing(stuck)).failed
    made = prepare(load_config(file))
    checkpoint = execute(made, None, Listener(stop=lambda: True)).checkpoint
    moving = sweep(plan(file), make_store(tmp_path / "moving"))
    assert (1, 0) == (moving.run(Losing(moving, checkpoint)).trained, moving.progress.failed)


@pytest.mark.parametrize("alone", [2, 3])
def test_a_run_that_is_lost_with_others_is_tried_alone(plan, sweep, write, alone):
    """That it was with them is none of its three attempts: only one of them was in progress."""
    made = sweep(plan(write("iris")))
    workers = Losing(made, errors=[LostTogetherError] + [WorkerLostError] * alone)
    progress = made.run(workers)
    assert (alone == 2, alone == 3) == (progress.trained, progress.failed)
    assert [False, True, True, True] == workers.alone


def test_short_runs_share_tasks(pool, begin, write, monkeypatch):
    """And their data is sent to workers, not with each run.

    On a busy machine Dask may think that a worker is lost: its runs are then sent again, alone.
    """
    sizes = []
    emptied = batch.Batch.emptied
    monkeypatch.setattr(batch.Batch, "emptied", lambda b: sizes.append(len(b)) or emptied(b))
    pool.ask("scale", 2)
    tiny = IRIS.replace("iterations: 60", "iterations: 60, evaluate_every: 60")
    assert 60 == done(begin(write("iris", tiny), seeds=60))
    sent = [size for size in sizes if size]
    first = next(count for count in range(len(sent) + 1) if sum(sent[:count]) >= 60)
    assert first <= 3
    counts = pool.ask("counts")
    assert 60 == len(counts["trained"])
    assert sum(counts["data"].values()) < 30


def test_runs_wait_at_the_scheduler(pool, begin, write):
    """Not at a worker, which may be lost: Dask fails what has waited at four of these."""
    moons = lasting(4000).replace("name: iris", "name: moons, rows: 40").replace("3]", "2]")
    others = [
        write(f"moons{seed}", moons.replace("rows: 40", f"rows: 40, seed: {seed}"))
        for seed in range(5)  # from so many on, Dask takes a group of tasks for another kind
    ]
    many = write("many", lasting(3000) + "sweep: {seeds: 20}\n")
    pool.ask("scale", 1)
    sweep = begin(*others, many, seeds=None)
    seen = []
    until(lambda: seen.append(pool.ask("waiting")) or sweep.done())
    assert 25 == done(sweep)
    tasks, given = map(max, zip(*seen, strict=True))
    assert tasks > len(others) + 5
    assert given <= len(others) + 2


def test_an_executor_of_a_client(pool, connected, begin, write, tmp_path):
    """From Python, the executor of a client uses its cluster as the client does."""
    file = write("iris")
    pool.ask("scale", 1)
    assert 8 == done(begin(file, seeds=8))
    nnrun.sweep(file, seeds=8, executor=connected.get_executor(), results=tmp_path / "other")
    assert "running" == connected.status
    assert weights_of(tmp_path / "results") == weights_of(tmp_path / "other")
    assert {2} == {*pool.ask("counts")["trained"].values()}


def test_a_result_that_is_lost_before_it_is_fetched(pool, connected, begin, write, monkeypatch):
    """With its worker, and the task then fails elsewhere: its runs are trained again."""
    from distributed import KilledWorker

    gather, lost = connected._gather, iter([1])

    async def losing(*given, **more):
        if next(lost, 0):
            raise KilledWorker("execute-1", None, 3)
        return await gather(*given, **more)

    monkeypatch.setattr(connected, "_gather", losing)
    pool.ask("scale", 1)
    assert 2 == done(begin(write("iris"), seeds=2))
    assert {2} == {*pool.ask("counts")["trained"].values()}


def test_a_worker_of_another_version_is_refused(pool, begin, write, tmp_path):
    """Before anything is trained, in one sentence that says what differs."""
    pool.ask("scale", 1)
    real = pool.ask("numpy", "1.0")
    try:
        with pytest.raises(NnrunError) as refused:
            begin(write("iris")).result(60)
    finally:
        pool.ask("numpy", real)
    assert f"has NumPy 1.0, and this process {real}, so that bits could" in str(refused.value)
    assert [] == stored(tmp_path)


class Ends(Future):
    """The future of a task of Dask, which ends as a test says."""

    status = "pending"
    key = ("data", 0)

    def __await__(self):
        return asyncio.wrap_future(self).__await__()

    def release(self):
        pass


class Client:
    """A client of Dask whose tasks end as a test says."""

    status = "running"

    def __init__(self, loop, workers=2):
        self.loop = SimpleNamespace(asyncio_loop=loop)
        self.scheduler = type("Scheduler", (), {"address": "tcp://1.2.3.4:5"})
        self.workers = workers
        self.sent: list[tuple[list[str], Future]] = []
        self.data: dict[str, Future] = {}
        self.given: list[Future] = []

    def nthreads(self):
        return {f"tcp://1.2.3.4:{port}": 1 for port in range(self.workers)}

    def run_on_scheduler(self, function):
        return function()

    def run(self, function, *_, workers=(), on_error=""):
        return {worker: versions() for worker in workers}

    def submit(self, function, *given, key):
        if function is dask_tasks.unpack_dataset:
            return self.data.setdefault(key, Ends())
        future = Ends()
        self.sent.append(([job.key for job in given[2]], future))
        self.given.append(given[-1])
        return future


async def end_others():
    """Cancel all other coroutines of this loop, and wait for their end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(dask, "_POLL_SECONDS", 60.0)
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield Client(loop)
    asyncio.run_coroutine_threadsafe(end_others(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def job(number, seconds=0.015, data="data"):
    return Job(f"iris/s{number}-1", "{}", Replicate(number), f"s{number}-1", data, seconds=seconds)


def handed(workers, jobs):
    return [workers.submit(each, lambda: None) for each in jobs]


def test_short_runs_are_sent_ten_at_a_time(client):
    """Those on other data, long ones, and the last ones are not kept waiting for others."""
    workers = DaskWorkers(client)
    handed(workers, [*map(job, range(25)), job(25, data="other"), job(26, seconds=1.0)])
    assert [10, 10, 5, 1, 1] == [len(keys) for keys, _ in client.sent]
    assert 2 == len(client.data)
    handed(workers, [job(27), job(28)])
    workers.wait([], 0.0)
    assert 2 == len(client.sent[-1][0])
    workers.close()


def test_runs_of_a_lost_task_are_sent_alone(client):
    """So one that ends its worker does not take others with it again and again."""
    workers = DaskWorkers(client)
    futures = handed(workers, map(job, range(10)))
    client.sent[0][1].set_exception(ValueError("of Dask"))
    assert {LostTogetherError} == {type(future.exception(60)) for future in futures}
    futures = handed(workers, [replace(job(number), alone=True) for number in range(10)])
    assert [10] + [1] * 10 == [len(keys) for keys, _ in client.sent]
    client.sent[-1][1].set_exception(ValueError("of Dask"))
    assert WorkerLostError is type(futures[-1].exception(60))
    workers.check()
    workers.close()


def test_data_that_workers_were_lost_with_are_sent_again(client):
    """Under another name: the task that had them stays failed, and so would all that need it."""
    workers = DaskWorkers(client)
    handed(workers, map(job, range(5)))
    workers.wait([], 0.0)
    (lost,) = client.data.values()
    lost.status = "error"
    workers.renew()
    handed(workers, map(job, range(5, 10)))
    workers.wait([], 0.0)
    assert 2 == len(client.data)
    assert [*client.data.values()] == client.given
    workers.close()


def test_lost_workers_are_told_in_plain_words(client):
    """Dask's errors name the task, a page on the web and the last one of four workers, or that
    someone has restarted all workers.
    """
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    last = SimpleNamespace(address="tcp://1.2.3.4:1")
    errors = [KilledWorker("execute-1", last, 3), FutureCancelledError("execute-2", "restart")]
    workers = DaskWorkers(client)
    futures = handed(workers, [job(1, seconds=1.0), job(2, seconds=1.0)])
    for (_, sent), error in zip(client.sent, errors, strict=True):
        sent.set_exception(error)
    assert ["its worker was lost"] * 2 == [str(future.exception(60)) for future in futures]
    workers.close()


def test_a_pool_that_ends_in_the_middle(client, plan, sweep, write):
    """One sentence with what is missing, and none for each run that was with its workers."""

    def end():
        if client.sent:
            client.status = "closed"
            for _, future in client.sent:
                future.cancel()
        return False

    made = sweep(plan(write("iris", lasting(3000)), seeds=3), stopped=end)
    message = "^the Dask scheduler at tcp://1.2.3.4:5 is gone; 3 of 3 runs are missing$"
    with pytest.raises(NnrunError, match=message):
        made.run(DaskWorkers(client))
    assert [] == made.listener.lines


def test_runs_that_are_lost_at_once_are_one_line(capsys):
    """Of the first, with the number of the others."""
    lines = Runs(4)
    lines.display = Log(Output())
    for seed in (3, 4, 5):
        lines.retried(SimpleNamespace(label=f"iris seed={seed}"), "its worker was lost")
    progress = SimpleNamespace(ended=1)
    lines.tick(progress)
    lines.retried(SimpleNamespace(label="iris seed=6"), "its worker was lost")
    lines.tick(progress)
    assert [
        "iris seed=3: its worker was lost; trying again (with 2 other runs)",
        "iris seed=6: its worker was lost; trying again",
    ] == capsys.readouterr().err.splitlines()


def test_without_workers_a_stop_waits_for_no_run(client, plan, sweep, write):
    """Submitted runs have not begun: none is in progress, and the sweep ends at once."""
    client.workers = 0
    workers = DaskWorkers(client)
    workers.patience = 30.0
    stopped = []
    waiting = sweep(plan(write("iris"), seeds=3), stopped=lambda: bool(client.sent))
    waiting.listener.stopping = stopped.append
    start = monotonic()
    progress = waiting.run(workers)
    assert (0, 3, [0]) == (progress.trained, progress.missing, stopped)
    assert monotonic() - start < workers.patience


def test_a_worker_that_is_gone_is_named_once(client):
    """And again where it comes back and leaves again; where it was the last, its runs wait."""
    workers = DaskWorkers(client)
    for there in (1, 1, 2, 1, 1, 0):
        client.workers = there
        workers._look_at_workers()
    gone = "the Dask worker at tcp://1.2.3.4:1 is gone; other workers train any runs it had"
    last = "the Dask worker at tcp://1.2.3.4:0 is gone; waiting for other workers"
    assert [gone, gone, last] == [message.content for message in workers.messages()]
    workers.close()


def test_workers_that_leave_together_are_one_line(client):
    """With how many they are, and the address of one."""
    client.workers = 5
    workers = DaskWorkers(client)
    for there in (2, 0):
        client.workers = there
        workers._look_at_workers()
    some, all_ = [message.content for message in workers.messages()]
    assert some.startswith("3 Dask workers, one at tcp://1.2.3.4:2, are gone; other workers")
    assert "2 Dask workers, one at tcp://1.2.3.4:0, are gone; waiting for other workers" == all_
    workers.close()


def test_waiting_for_workers_is_said_once(client, monkeypatch):
    """Soon: until then nothing else shows why no run begins."""
    now = [0.0]
    monkeypatch.setattr(dask, "monotonic", lambda: now[0])
    client.workers = 0
    workers = DaskWorkers(client)
    workers.close()  # no other thread looks
    found = []
    for now[0] in (0.5, 1.5, 2.5):
        workers._look_at_workers()
        found.append([message.content for message in workers.messages()])
    none = "the Dask scheduler at tcp://1.2.3.4:5 has no workers; waiting for some"
    assert [[], [none], []] == found


def test_a_slow_answer_of_workers_is_said(client, monkeypatch):
    """They import what versions are asked of first."""
    notes, noted = [], Event()

    def run(*_, workers, **__):
        noted.wait(PATIENCE_SECONDS)
        return {}

    def note(text):
        notes.append(text)
        noted.set()

    monkeypatch.setattr(client, "run", run)
    monkeypatch.setattr(dask, "connect", lambda address, note: client)
    monkeypatch.setattr(dask_client, "_NOTE_SECONDS", 0.0)
    DaskWorkers.at("tcp://1.2.3.4:5", note).close()
    assert ["waiting for the workers of tcp://1.2.3.4:5"] == notes


def test_a_worker_without_nnrun_ends_the_sweep(client):
    """With a sentence that says so; the runs are not failed for it."""
    workers = DaskWorkers(client)
    (future,) = handed(workers, [job(1, seconds=1.0)])
    client.sent[0][1].set_exception(ModuleNotFoundError("No module named 'nnrun'"))
    assert WorkerLostError is type(future.exception(60))
    with pytest.raises(NnrunError, match="cannot load nnrun: No module named 'nnrun'"):
        workers.check()
    workers.close()


def test_workers_that_cannot_load_nnrun_are_refused_at_first(client, monkeypatch):
    """With their address and the reason."""
    missing = ModuleNotFoundError("No module named 'nnrun'")
    monkeypatch.setattr(client, "run", lambda *_, workers, **__: dict.fromkeys(workers, missing))
    with pytest.raises(NnrunError, match=r"the worker tcp://1.2.3.4:\d cannot load nnrun: No mod"):
        DaskWorkers(client)


@pytest.mark.parametrize("kind", [OSError, RuntimeError, ZeroDivisionError])
def test_a_connection_that_is_lost_at_first(client, monkeypatch, kind):
    """One sentence says so; a mistake of nnrun is passed on as it is."""

    def fail(*_, **__):
        raise kind("Stream is closed")

    monkeypatch.setattr(client, "run", fail)
    lost = r"the workers of tcp://1.2.3.4:5 cannot be used: Stream is closed"
    expected = (kind, "^Stream") if kind is ZeroDivisionError else (NnrunError, lost)
    with pytest.raises(expected[0], match=expected[1]):
        DaskWorkers(client)


def test_a_scheduler_without_nnrun_is_refused_at_first(client, monkeypatch):
    """It unpacks what it is sent: each run would fail by an error of Dask."""

    def fail(function):
        raise ModuleNotFoundError("No module named 'nnrun'")

    monkeypatch.setattr(client, "run_on_scheduler", fail)
    with pytest.raises(
        NnrunError, match=r"scheduler at tcp://1.2.3.4:5 cannot load nnrun, .* No m"
    ):
        DaskWorkers(client)


# Any executor of `concurrent.futures` trains a sweep.

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
