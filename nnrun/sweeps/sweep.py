"""The loop of a sweep: it submits runs, collects their results and saves them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice
from time import monotonic, sleep
from typing import Any

from nnrun.config.load import config_from_dict, resolved_config
from nnrun.data.dataset import Dataset
from nnrun.data.rows import available_memory
from nnrun.engines.selection import compile_ahead
from nnrun.errors import DataError, NnrunError, NothingSavedError, UsageError
from nnrun.pool import LostTogetherError, Message, NoWorkersError, serialize_error
from nnrun.runs.events import Listener, Listeners
from nnrun.runs.lease import Outcome, begin
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.record import RunResult, compare_published
from nnrun.runs.storage.store import Store
from nnrun.runs.storage.sweep_progress import SweepCounts, SweepNotes
from nnrun.sweeps.active_runs import ActiveRun, RunEnds, SweepProgress, checked
from nnrun.sweeps.planning.plan import Plan, PlannedRun, PlannedRuns, RunSource
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.workers.base import (
    InlineWorkers,
    ProcessWorkers,
    Workers,
    most_processes,
    most_results,
    most_runs,
)
from nnrun.sweeps.workers.job import Evaluations
from nnrun.systems.process import cores, threads_for
from nnrun.training.state import TrainingState

MOST_ATTEMPTS = 3
_TICK_SECONDS = 0.1
_LOOK_SECONDS = 0.2
_DISCONNECTED = "its worker had lost the connection to this process"


class Sweep:
    """One sweep.

    Args:
        plan: of the sweep.
        store: where results are kept; None to keep only their scores.
        datasets: that the plan was made with.
        listener: called as runs begin and end.
        stopped: returns whether to stop; the sweep can be continued later.
        force: train runs that are complete or damaged again.
        fail_fast: stop at the first failure, except for those of earlier sweeps.
        threads: how many each run may use.
        source: where runs come from; by default all runs of the plan.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store | None,
        datasets: Datasets,
        listener: Listener,
        stopped: Callable[[], bool] = lambda: False,
        *,
        force: bool = False,
        fail_fast: bool = False,
        threads: int = 1,
        source: RunSource | None = None,
    ) -> None:
        self.progress = SweepProgress(plan)
        self.store = store
        self.datasets = datasets
        self.listener = listener
        self._source = source or PlannedRuns(plan)
        self._ends = RunEnds(self.progress, store, datasets, listener, self._source)
        self.force = force
        self.fail_fast = fail_fast
        self.threads = threads
        self._stopped: Callable[[], bool] = lambda: (
            stopped() or listener.stop() or self._source.overdue()
        )
        self._held_elsewhere: deque[PlannedRun] = deque()
        self._futures: dict[Future[RunResult | None], ActiveRun] = {}
        self._advanced: set[str] = set()  # saved a checkpoint since they were submitted
        # While others train; a killed sweep loses at most these.
        self._saved_at_a_time = 0 if fail_fast else most_results()
        self._most_in_hand = most_runs()
        self._next_look = 0.0
        self._notes = SweepNotes(None if store is None else store.root)
        self._workers: Workers | None = None
        self._deadline: float | None = None

    def stopping(self) -> bool:
        """Whether to begin no more runs, and to stop those in progress."""
        ends = self._ends
        return self._stopped() or bool(ends.no_room) or (self.fail_fast and ends.any_failed)

    def run(self, workers: Workers) -> SweepProgress:
        """Train the runs of the plan.

        Raises: NnrunError if no worker is left, or the disk is full.
        """
        names = self.progress.plan.names
        self._workers = workers
        gone: NoWorkersError | None = None
        try:
            if self.store is not None:
                self.store.index.refresh(names, coming=len(self.progress.plan))
            self._train(workers)
        except NoWorkersError as error:
            gone = error
        finally:
            workers.close()
            deque(self._ends.settle(0), maxlen=0)
            for active in list(self._ends.active.values()):
                self._ends.release(active)
            self._notes.close(self._unfinished())
            if self.store is not None:
                self.store.index.close()
                if self.progress.trained:
                    self.store.index.refresh(names)
                self.store.leave()
        if self._ends.no_room:
            progress = self.progress
            if not progress.trained + progress.found + progress.interrupted:
                raise NothingSavedError(f"no results can be written: {self._ends.no_room}")
            raise NnrunError(f"no more results can be written: {self._ends.no_room}")
        if gone is not None:
            raise NnrunError(f"{gone}{self._missing()}") from gone
        return self.progress

    def _train(self, workers: Workers) -> None:
        """Until all runs have ended, or are stopped."""
        while True:
            self._submit_more(workers)
            if self._futures:
                self._collect(workers)
            elif self._ends.saving:
                self._settle(0, workers)
            elif self.stopping() or not self._held_elsewhere:
                break
            else:
                self.listener.waiting(len(self._held_elsewhere))
                self._notes.add(self._counts)
                sleep(_TICK_SECONDS)

    def receive(self, message: Message) -> None:
        """Handle a message of a run in progress."""
        if isinstance(message.content, str):
            self.listener.warn(message.content)
            return
        active = self._ends.active.get(message.key)
        if active is None:
            return
        if isinstance(message.content, TrainingState):
            if active.saved(message.content, self.listener.warn):
                self._advanced.add(message.key)
        elif isinstance(message.content, Evaluations):
            ends = self.listener.evaluated(active.run, message.content.rows)
            if message.answer is not None:
                message.answer(bool(ends))
        else:
            active.lease.note(message.content, active.about)
            self.listener.progressed(active.run, message.content)
            self._notes.add(self._counts)  # also of a sweep in this process alone

    def _submit_more(self, workers: Workers) -> None:
        """Submit as many runs as the workers can take."""
        while self._has_room(workers):
            run = self._source.next(workers.at_a_time)
            if run is not None:
                self.progress.reached += 1
                self._start(run, workers)
            elif not self._retry_held(workers):
                return

    def _has_room(self, workers: Workers) -> bool:
        in_hand, most = len(self._futures), min(workers.capacity, self._most_in_hand)
        room = in_hand < most and in_hand + len(self._ends.saving) < max(
            most, 1 + self._saved_at_a_time
        )
        return room and not self.stopping()

    def _retry_held(self, workers: Workers) -> bool:
        """Try again to begin runs that other processes held; returns whether there are fewer."""
        held = len(self._held_elsewhere)
        if not held or monotonic() < self._next_look:
            return False
        for _ in range(held):
            if self._has_room(workers):
                self._start(self._held_elsewhere.popleft(), workers)
        self._next_look = monotonic() + _LOOK_SECONDS
        return len(self._held_elsewhere) < held

    def _start(self, run: PlannedRun, workers: Workers) -> None:
        """Begin a run, unless its setting is wrong, it is complete, or another process holds it."""
        if run.variant.refused:
            self._ends.fail(run, run.variant.refused)
            return
        try:
            begun = begin(
                self.store, run.variant.name, run.run_id,
                force=self.force, brief=True, metrics=run.variant.metrics,
                watched=run.variant.watched, stopped=self.listener.decides,
            )  # fmt: skip
        except OSError as error:
            self._ends.fail_to_write(run, "its folder cannot be made", error)
        except UsageError as error:
            self._ends.fail(run, str(error))
        else:
            if begun is None:
                self._held_elsewhere.append(run)
            elif isinstance(begun, Outcome):
                self.listener.saved(run, begun)
                # Published numbers and the order are no part of the run id, and may have changed.
                record = replace(begun.record, main_metric=run.variant.metric)
                published = compare_published(run.variant.published, record.metrics)
                self._ends.count(run, replace(record, published=published), trained=False)
            else:
                self._submit(ActiveRun(run, begun), workers)

    def _submit(self, active: ActiveRun, workers: Workers) -> None:
        self._ends.active[active.run.key] = active
        job = replace(
            active.job(self.listener.warn, self.threads),
            follows=self.listener.follows,
            asks=self.listener.decides,
            alone=active.alone,
        )
        if workers.reports and not job.is_short:  # its worker says when it begins
            active.lease.note(None, active.about)
        try:
            future = workers.submit(job, lambda: self._dataset(active.run))
        except (DataError, OSError) as error:  # its data are missing or have changed
            self._ends.abandon(active, str(error))
        else:
            self._futures[future] = active

    def _collect(self, workers: Workers) -> None:
        """Wait a moment for results, and handle them."""
        saved: list[Future[Any]] = [saving.outcome for saving in [*self._ends.saving][:1]]
        workers.wait([*self._futures, *saved], _TICK_SECONDS)
        for message in workers.messages():
            self.receive(message)
        # Results first: the sweep ends if a lost run cannot be submitted again.
        ended = [future for future in self._futures if future.done()]
        for future in sorted(ended, key=lambda future: _is_lost(future, workers)):
            self._finish(self._futures.pop(future), future, workers)
            self._settle(self._saved_at_a_time, workers)
        self._settle(self._saved_at_a_time, workers)
        workers.check()
        self.listener.tick(self.progress)
        self._notes.add(self._counts)
        if not self.stopping():
            return
        if self._deadline is None:
            running = min(len(self._futures), workers.slots)
            self._deadline = monotonic() + (workers.patience if running else 0.0)
            self.listener.stopping(running)
            workers.stop()
        elif monotonic() > self._deadline:
            self._futures.clear()

    def _counts(self) -> SweepCounts:
        """Counts of runs for those who follow the sweep; a run that is being saved is done."""
        progress, saving = self.progress, len(self._ends.saving)
        in_hand, done = len(self._ends.active) - saving, progress.ended + saving
        most = 0 if self._workers is None else self._workers.slots
        running, is_open = min(max(0, in_hand), most), progress.plan.open
        return SweepCounts(
            sorted(progress.plan.names),
            total=done + running if is_open else max(len(progress.plan), done),
            done=done,
            failed=progress.failed + progress.diverged,
            running=running,
            open=is_open,
        )

    def _missing(self) -> str:
        """How many runs are missing, after an error; nothing where more may follow from results."""
        if not isinstance(self._source, PlannedRuns):
            return ""
        return f"; {self.progress.missing:,} of {len(self.progress.plan):,} runs are missing"

    def _unfinished(self) -> SweepCounts | None:
        """The counts of a sweep that ends before all of its runs; None if it has saved nothing."""
        progress, plain = self.progress, isinstance(self._source, PlannedRuns)
        saved = progress.trained + progress.interrupted
        if not plain or not progress.missing or not saved or self._ends.no_room:
            return None
        return self._counts()

    def _finish(
        self, active: ActiveRun, future: Future[RunResult | None], workers: Workers
    ) -> None:
        if _is_lost(future, workers):
            error = None if future.cancelled() else future.exception()
            if isinstance(error, LostTogetherError):  # one of the others may be what ended it
                active = replace(active, attempt=active.attempt - 1)
            self._resubmit(active, str(error or "") or "its worker was lost", workers)
            return
        try:
            result = checked(future.result(), active.run)
        except Exception as error:  # only this run fails
            self._ends.abandon(active, *serialize_error(error))
            return
        if result is not None:
            self._ends.save(active, result, asked=self.stopping())
        elif self.stopping():
            self._ends.release(active)
        else:
            self._resubmit(active, _DISCONNECTED, workers)

    def _resubmit(self, active: ActiveRun, reason: str, workers: Workers) -> None:
        """Submit a run whose worker was lost again, from its last checkpoint."""
        workers.check()
        # Workers that come and go are no reason to give up a run that gets further each time.
        attempt = 0 if active.run.key in self._advanced else active.attempt
        self._advanced.discard(active.run.key)
        if self.stopping():
            self._ends.release(active)
        elif attempt == MOST_ATTEMPTS:
            self._ends.abandon(active, f"tried {MOST_ATTEMPTS} times, each time {reason}")
        else:
            self.listener.retried(active.run, reason)
            workers.renew()
            self._submit(replace(active, attempt=attempt + 1, alone=True), workers)

    def _settle(self, most: int, workers: Workers) -> None:
        """Handle saved results; runs that were interrupted without being asked begin again."""
        for active in self._ends.settle(most):
            self._resubmit(active, _DISCONNECTED, workers)

    def _dataset(self, run: PlannedRun) -> Dataset:
        variant = run.variant
        config = resolved_config(variant.config, variant.plugins.sources)
        return self.datasets.load(config.dataset, variant.data)


def _is_lost(future: Future[RunResult | None], workers: Workers) -> bool:
    """Whether a run has ended because its worker was lost."""
    return future.cancelled() or isinstance(future.exception(), (*workers.lost, CancelledError))


# The choice of workers for a plan: this process or several others, and the code that they need.

# From the start of a worker process to its first iteration.
_START_SECONDS = 0.5
# What another worker must save. By 90 runs of 19 ms, where a second one saves 0.86 s, two workers
# took a third longer than one on two busy cores, and 46% more processor time.
_SAVED_SECONDS = 1.0
# For this process to store the result of a run.
_STORING_SECONDS = 0.0012
# For shorter runs, another worker would only wait for this process, which stores the results, and
# compete for its core. By runs of 6.3 ms two workers took 20% longer than one on two busy cores,
# and 24% more processor time; from where on they pay was not measured more closely.
_SECONDS_PER_WORKER = 0.0065


def workers_for(plan: Plan, jobs: int | None) -> int:
    """The number of runs to train at a time: `jobs`, or by default as many as the cores, if that
    saves time.
    """
    if not len(plan):
        return 1
    largest = plan.memory
    fitting = max(1, available_memory() // max(1, largest))
    workers = min(jobs or cores(), len(plan), fitting, most_processes())
    if jobs is not None:
        return workers
    workers = min(workers, 1 + int(plan.seconds / len(plan) / _SECONDS_PER_WORKER))
    return workers if plan.seconds * (1 - 1 / workers) > _SAVED_SECONDS else 1


def local_workers(sweep: Sweep, workers: int) -> Workers:
    """This process or others on this machine; while they start, this one compiles their code."""
    plan = sweep.progress.plan
    if workers == 1 and not _is_worth_a_process(plan):
        return InlineWorkers(sweep.receive, sweep.stopping)
    try:
        processes = ProcessWorkers(workers)
    except OSError as error:
        reason = error.strerror or error
        sweep.listener.warn(f"no worker can be started ({reason}): this process trains")
        return InlineWorkers(sweep.receive, sweep.stopping)
    try:
        compile_first(plan, sweep.datasets, workers)
    except BaseException:
        processes.close()
        raise
    return processes


@dataclass(frozen=True)
class Training:
    """How the runs of sweeps and searches are trained.

    Args:
        store: where results are kept; None to keep only their scores.
        datasets: that plans were made with.
        listener: called as runs begin and end, beside that of a call.
        jobs: how many runs train at the same time, on this machine; by default what saves time.
        threads: how many each run may use; by default its share of the cores, and one elsewhere.
        workers: makes workers elsewhere for a plan, and for what shows the work.
        stopped: returns whether to stop.
        begin: called before the first run, with the number of workers.
    """

    store: Store | None
    datasets: Datasets
    listener: Listener
    jobs: int | None = None
    threads: int | None = None
    workers: Callable[[Plan, Listener], Workers] | None = None
    stopped: Callable[[], bool] = lambda: False
    begin: Callable[[int], object] = lambda workers: None

    def run(
        self,
        plan: Plan,
        work: AbstractContextManager[Listener],
        source: RunSource | None = None,
        *,
        force: bool = False,
        fail_fast: bool = False,
        sharing: int = 1,
    ) -> SweepProgress:
        """Train the runs of a plan, or of a source, while `work` shows them.

        Runs have the threads that they had if at least so many `sharing` workers trained.
        """
        if self.workers is None:
            processes = workers_for(plan, self.jobs)
            threads = threads_for(self.threads, max(processes, sharing))
        else:
            threads = self.threads or 1
        with work as listener:
            sweep = Sweep(
                plan, self.store, self.datasets, Listeners(listener, self.listener),
                self.stopped, force=force, fail_fast=fail_fast, threads=threads, source=source,
            )  # fmt: skip
            made = self.workers(plan, listener) if self.workers else local_workers(sweep, processes)
            self.begin(made.at_a_time)
            return sweep.run(made)


def _is_worth_a_process(plan: Plan) -> bool:
    """Whether it saves time to train in one other process, while this one stores results."""
    return cores() > 1 and len(plan) * _STORING_SECONDS > _START_SECONDS


# The parts of a config that the compiled code depends on.
_BLOCKS = ("network", "loss")
_KEYS = (
    *("optimizer", "clip_norm", "batch_size", "dtype", "engine", "iterations", "epochs"),
    *("class_weight", "average"),
)


def code_key(config: dict[str, Any], data: str) -> str:
    """The parts of a resolved config that its compiled code depends on, and the key of its data."""
    parts = [config[block] for block in _BLOCKS] + [config["training"][key] for key in _KEYS]
    return json.dumps([data, *parts])


def compile_first(plan: Plan, datasets: Datasets, workers: int) -> None:
    """Compile the code of the first runs into the cache, of as many settings as there are workers.

    Otherwise, several workers would compile the same code at the same time: the first eight runs of
    digits_arch2 take 14% more CPU time then by two workers. All other code is compiled by the first
    run that needs it, while other workers train or compile other code.
    """
    compiled = set()
    for variant in islice(plan.firsts(), workers):
        content = json.loads(variant.config)
        if "network" not in content:  # a model of scikit-learn
            continue
        code = code_key(content, variant.data)
        if code not in compiled:
            compiled.add(code)
            config = config_from_dict(content)
            prepared = prepare_again(config, datasets.load(config.dataset))
            training = config.training
            compile_ahead(
                prepared.engine,
                prepared.network,
                training.make_optimizer(),
                clip_norm=training.clip_norm,
                batch_size=training.batch_size,
            )
