"""The loop of a sweep: it submits runs, collects their results and saves them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from time import monotonic, sleep
from traceback import format_exception
from typing import Any, TypeVar

from nnrun.data.dataset import Dataset
from nnrun.errors import DataError, NnrunError, UsageError
from nnrun.pool.task import CrashError, Message
from nnrun.runs.execution.record_builder import compare_published, failed_result
from nnrun.runs.lease import Outcome, RunLease, begin
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.replicate import Replicate
from nnrun.runs.storage.store import Store
from nnrun.sweeps.listener import SweepListener
from nnrun.sweeps.open_files import most_results, most_runs
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.plan import Plan, PlannedRun
from nnrun.sweeps.progress import SweepProgress
from nnrun.sweeps.source import PlannedRuns, RunSource
from nnrun.sweeps.workers.base import Workers
from nnrun.sweeps.workers.job import Job, config_of
from nnrun.training.state import TrainingState

MOST_ATTEMPTS = 3
_TICK_SECONDS = 0.1
_LOOK_SECONDS = 0.2
_DISCONNECTED = "its worker had lost the connection to this process"
V = TypeVar("V")


@dataclass(frozen=True)
class ActiveRun:
    """A run in progress: leased, and submitted to a worker."""

    run: PlannedRun
    lease: RunLease
    attempt: int = 1

    def about(self) -> tuple[Replicate, Mapping[str, Any], str]:
        """The run, as what it says of its progress names it."""
        variant = self.run.variant
        return self.run.replicate, json.loads(variant.config), variant.sha256

    def job(self, note: Callable[[str], None], threads: int) -> Job:
        """The job for a worker, with the last checkpoint of the run."""
        run, variant = self.run, self.run.variant
        checkpoint = self.lease.checkpoint(lambda text: note(f"{run.label}: {text}"))
        return Job(
            run.key,
            variant.config,
            run.replicate,
            run.run_id,
            variant.data,
            checkpoint,
            threads,
            variant.estimate.seconds,
            run.until,
        )

    def paused(self, record: RunRecord) -> bool:
        """Whether the run has reached the iteration where it pauses."""
        until = self.run.until
        return until is not None and int(record.timing["iterations"]) >= until


@dataclass(frozen=True)
class SavedRun:
    """A run whose result is being saved; `asked` says whether it was asked to stop."""

    active: ActiveRun
    outcome: Future[Outcome]
    asked: bool


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
        listener: SweepListener,
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
        self.force = force
        self.fail_fast = fail_fast
        self.threads = threads
        self._stopped = stopped
        self._source = source or PlannedRuns(plan)
        self._held_elsewhere: deque[PlannedRun] = deque()
        self._futures: dict[Future[RunResult | None], ActiveRun] = {}
        self._active: dict[str, ActiveRun] = {}
        self._advanced: set[str] = set()  # saved a checkpoint since they were submitted
        self._saving: deque[SavedRun] = deque()
        # While others train; a killed sweep loses at most these.
        self._saved_at_a_time = 0 if fail_fast else most_results()
        self._most_in_hand = most_runs()
        self._next_look = 0.0
        self._failed = False
        self._deadline: float | None = None

    def stopping(self) -> bool:
        """Whether to begin no more runs."""
        return self._stopped() or (self.fail_fast and self._failed)

    def run(self, workers: Workers) -> SweepProgress:
        """Train the runs of the plan.

        Raises:
            NnrunError: no worker is left.
        """
        names = self.progress.plan.names
        try:
            if self.store is not None:
                self.store.index.refresh(names, coming=len(self.progress.plan))
            while True:
                self._submit_more(workers)
                if self._futures:
                    self._collect(workers)
                elif self._saving:
                    self._settle(0, workers)
                elif self.stopping() or not self._held_elsewhere:
                    break
                else:
                    self.listener.waiting(len(self._held_elsewhere))
                    sleep(_TICK_SECONDS)
        finally:
            workers.close()
            self._settle(0)
            for active in list(self._active.values()):
                self._release(active)
            if self.store is not None:
                self.store.index.close()
                if self.progress.trained:
                    self.store.index.refresh(names)
        return self.progress

    def receive(self, message: Message) -> None:
        """Handle a message of a run in progress."""
        if isinstance(message.content, str):
            self.listener.warn(message.content)
            return
        active = self._active.get(message.key)
        if active is None:
            return
        if isinstance(message.content, TrainingState):
            try:
                active.lease.save_checkpoint(message.content)
                self._advanced.add(message.key)
            except (OSError, UsageError) as error:
                reason = getattr(error, "strerror", None) or error
                self.listener.warn(f"{active.run.label}: no checkpoint: {reason}")
        else:
            active.lease.note(message.content, active.about)
            self.listener.progressed(active.run, message.content)

    def _submit_more(self, workers: Workers) -> None:
        """Submit as many runs as the workers can take."""
        while self._has_room(workers):
            run = self._source.next(workers.at_a_time)
            if run is None:
                self._retry_held(workers)
                return
            self._start(run, workers)

    def _has_room(self, workers: Workers) -> bool:
        in_hand, most = len(self._futures), min(workers.capacity, self._most_in_hand)
        room = in_hand < most and in_hand + len(self._saving) < max(most, 1 + self._saved_at_a_time)
        return room and not self.stopping()

    def _retry_held(self, workers: Workers) -> None:
        """Try again to begin runs that other processes held."""
        if monotonic() < self._next_look:
            return
        for _ in range(len(self._held_elsewhere)):
            if self._has_room(workers):
                self._start(self._held_elsewhere.popleft(), workers)
        self._next_look = monotonic() + _LOOK_SECONDS

    def _start(self, run: PlannedRun, workers: Workers) -> None:
        """Begin a run, unless it is complete or another process holds it."""
        try:
            begun = begin(
                self.store, run.variant.name, run.run_id,
                force=self.force, brief=True, metrics=run.variant.metrics,
            )  # fmt: skip
        except OSError as error:
            self._fail(run, f"its folder cannot be made: {error.strerror or error}")
        except UsageError as error:
            self._fail(run, str(error))
        else:
            if begun is None:
                self._held_elsewhere.append(run)
            elif isinstance(begun, Outcome):
                # Published numbers and the order are no part of the run id, and may have changed.
                record = replace(begun.record, main_metric=run.variant.metric)
                published = compare_published(run.variant.published, record.metrics)
                self._count(run, replace(record, published=published), trained=False)
            else:
                self._submit(ActiveRun(run, begun), workers)

    def _submit(self, active: ActiveRun, workers: Workers) -> None:
        self._active[active.run.key] = active
        job = active.job(self.listener.warn, self.threads)
        if workers.reports and not job.is_short:  # its worker says when it begins
            active.lease.note(None, active.about)
        try:
            future = workers.submit(job, lambda: self._dataset(active.run))
        except (DataError, OSError) as error:  # its data are missing or have changed
            self._abandon(active, str(error))
        else:
            self._futures[future] = active

    def _collect(self, workers: Workers) -> None:
        """Wait a moment for results, and handle them."""
        awaited: list[Future[Any]] = [*self._futures, *(s.outcome for s in [*self._saving][:1])]
        workers.wait(awaited, _TICK_SECONDS)
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
        if not self.stopping():
            return
        if self._deadline is None:
            self._deadline = monotonic() + workers.patience
            self.listener.stopping(min(len(self._futures), workers.at_a_time))
            workers.stop()
        elif monotonic() > self._deadline:
            self._futures.clear()

    def _finish(
        self, active: ActiveRun, future: Future[RunResult | None], workers: Workers
    ) -> None:
        if _is_lost(future, workers):
            reason = "" if future.cancelled() else str(future.exception())
            self._resubmit(active, reason or "its worker was lost", workers)
            return
        try:
            result = _checked(future.result(), active.run)
        except Exception as error:  # only this run fails
            self._abandon(active, *_account(error))
            return
        if result is not None:
            self._save(active, result)
        elif self.stopping():
            self._release(active)
        else:
            self._resubmit(active, _DISCONNECTED, workers)

    def _resubmit(self, active: ActiveRun, reason: str, workers: Workers) -> None:
        """Submit a run whose worker was lost again, from its last checkpoint."""
        workers.check()
        # Workers that come and go are no reason to give up a run that gets further each time.
        attempt = 0 if active.run.key in self._advanced else active.attempt
        self._advanced.discard(active.run.key)
        if self.stopping():
            self._release(active)
        elif attempt == MOST_ATTEMPTS:
            self._abandon(active, f"tried {MOST_ATTEMPTS} times, each time {reason}")
        else:
            self.listener.retried(active.run, reason)
            workers.renew()
            self._submit(replace(active, attempt=attempt + 1), workers)

    def _save(self, active: ActiveRun, result: RunResult) -> None:
        """Begin to save a result; its run counts once it is on the disk (see `_settle`)."""
        lease, asked = active.lease, self.stopping()
        outcome = self._stored(active, lambda: lease.begin_to_conclude(result, self.listener.warn))
        if outcome is not None:
            self._saving.append(SavedRun(active, outcome, asked))

    def _settle(self, most: int, workers: Workers | None = None) -> None:
        """Handle saved results, and wait until at most `most` are left to save.

        A run that was interrupted without being asked is submitted again, if there are workers.
        """
        if self.store is not None and len(self._saving) > most:
            self.store.hurry()
        while self._saving and (len(self._saving) > most or self._saving[0].outcome.done()):
            saved = self._saving.popleft()
            outcome = self._stored(saved.active, saved.outcome.result)
            if outcome is None:
                continue
            if outcome.record.status != "interrupted":
                self._count(saved.active.run, outcome.record, trained=True)
            elif saved.active.paused(outcome.record):
                self._source.ended(saved.active.run, outcome.record)
            elif saved.asked:
                self.progress.interrupted += outcome.saved
            elif workers is not None:
                self._resubmit(saved.active, _DISCONNECTED, workers)
                continue
            self._release(saved.active)

    def _stored(self, active: ActiveRun, step: Callable[[], V]) -> V | None:
        """The value of a step of saving a result; None if it fails, which fails the run."""
        try:
            return step()
        except OSError as error:
            self._fail(active.run, f"cannot be saved: {error.strerror or error}")
            self._release(active)
        except Exception as error:  # its result is invalid
            self._abandon(active, *_account(error))
        return None

    def _count(self, run: PlannedRun, record: RunRecord, *, trained: bool) -> None:
        self.progress.add(run, record, trained=trained)
        self._source.ended(run, record)
        self.listener.ended(run, record, self.progress, trained=trained)
        if record.status != "completed":
            reason = record.error or record.status
            self._failed |= trained
            self.progress.note_failure(run, reason)
            self.listener.failed(run, reason)

    def _abandon(self, active: ActiveRun, reason: str, traceback: str | None = None) -> None:
        """Fail a run that cannot be trained, and save a report with the reason."""
        self._report_failure(active, reason, traceback)
        self._fail(active.run, reason)
        self._release(active)

    def _report_failure(self, active: ActiveRun, reason: str, traceback: str | None) -> None:
        run = active.run

        def failed(checkpoint: TrainingState | None) -> RunResult:
            return failed_result(self._prepared(run), reason, checkpoint, traceback)

        try:
            active.lease.fail(failed)
        except Exception as error:  # the failure itself is reported in any case
            self.listener.warn(f"{run.label}: no report of its failure: {error}")

    def _fail(self, run: PlannedRun, reason: str) -> None:
        self._failed = True
        self.progress.fail(run, reason)
        self._source.failed(run, reason)
        self.listener.failed(run, reason)

    def _release(self, active: ActiveRun) -> None:
        self._active.pop(active.run.key, None)
        self.listener.released(active.run)
        active.lease.release()

    def _dataset(self, run: PlannedRun) -> Dataset:
        variant = run.variant
        return self.datasets.load(config_of(variant.config).dataset, variant.data)

    def _prepared(self, run: PlannedRun) -> Prepared:
        config = run.replicate.applied(config_of(run.variant.config))
        return prepare_again(config, self.datasets.load(config.dataset))


def _account(error: Exception) -> tuple[str, str | None]:
    """The error in a sentence; and its traceback, if nnrun did not raise it on purpose."""
    if isinstance(error, CrashError):
        return str(error), error.traceback
    if isinstance(error, NnrunError):
        return str(error), None
    return f"{type(error).__name__}: {error}", "".join(format_exception(error))


def _checked(result: RunResult | None, run: PlannedRun) -> RunResult | None:
    """The result, which must be of this run: workers are not trusted."""
    if result is None:
        return None
    record = result.record
    if (record.name, record.run_id) != (run.variant.name, run.run_id):
        raise NnrunError(f"its worker returned another run, {record.name}/{record.run_id}")
    return result


def _is_lost(future: Future[RunResult | None], workers: Workers) -> bool:
    """Whether a run has ended because its worker was lost."""
    return future.cancelled() or isinstance(future.exception(), (*workers.lost, CancelledError))
