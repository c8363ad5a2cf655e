"""The loop of a sweep: gives runs out, takes results in, and is the only one to write them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic, sleep

from nnrun.config.load import config_from_dict
from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.runs.failed import failed_result
from nnrun.runs.locks import Lock
from nnrun.runs.prepare import Prepared, prepare_again
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.store import Store
from nnrun.sweeps.crew import Crew, Message
from nnrun.sweeps.datasets import Datasets
from nnrun.sweeps.plan import Plan, PlannedRun
from nnrun.sweeps.scores import Tally
from nnrun.sweeps.watcher import Watcher
from nnrun.sweeps.work import Job
from nnrun.training.state import TrainingState

MOST_ATTEMPTS = 3
_TICK_SECONDS = 0.1
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Hand:
    """A run in hand: locked, and with a worker or on its way there."""

    run: PlannedRun
    lock: Lock
    job: Job
    attempt: int = 1


class Sweep:
    """One sweep.

    Args:
        plan: what to do.
        store: where results are kept.
        datasets: those the plan was made with.
        watcher: is told what happens.
        stopped: is asked whether to stop, and go on another time.
        force: train again what is complete.
        fail_fast: stop at the first failure; those of earlier sweeps do not count.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        datasets: Datasets,
        watcher: Watcher,
        stopped: Callable[[], bool] = lambda: False,
        *,
        force: bool = False,
        fail_fast: bool = False,
    ) -> None:
        self.tally = Tally(plan)
        self.store = store
        self.datasets = datasets
        self.watcher = watcher
        self.force = force
        self.fail_fast = fail_fast
        self._stopped = stopped
        self._runs: Iterator[PlannedRun] = plan.runs()
        self._elsewhere: deque[PlannedRun] = deque()
        self._in_hand: dict[Future[RunResult | None], Hand] = {}
        self._locks: dict[str, Hand] = {}
        self._next_look = 0.0
        self._failed = False
        self._deadline: float | None = None

    def stopping(self) -> bool:
        """Whether no more runs should be begun."""
        return self._stopped() or (self.fail_fast and self._failed)

    def run(self, crew: Crew) -> Tally:
        """See the plan through, or as much of it as can be.

        Raises:
            NnrunError: there is nobody left to work.
        """
        try:
            while True:
                self._give_out(crew)
                if self._in_hand:
                    self._take_in(crew)
                elif self.stopping() or not self._elsewhere:
                    break
                else:
                    self.watcher.waiting(len(self._elsewhere))
                    sleep(_TICK_SECONDS)
        finally:
            crew.close()
            for hand in list(self._locks.values()):
                self._release(hand)
        return self.tally

    def hear(self, message: Message) -> None:
        """Take what a run in progress tells."""
        if isinstance(message.content, str):
            self.watcher.warn(message.content)
            return
        hand = self._locks.get(message.key)
        if hand is None:
            return
        if isinstance(message.content, TrainingState):
            try:
                self.store.save_checkpoint(hand.run.point.name, hand.run.run_id, message.content)
            except OSError as error:
                self.watcher.warn(f"{hand.run.label}: no checkpoint: {error.strerror or error}")
        else:
            self.watcher.progress(hand.run, message.content)

    def _give_out(self, crew: Crew) -> None:
        """Give out as much as the workers can take."""
        while self._has_room(crew):
            run = next(self._runs, None)
            if run is None:
                self._look_again(crew)
                return
            self._take_up(run, crew)

    def _has_room(self, crew: Crew) -> bool:
        return not self.stopping() and len(self._in_hand) < crew.capacity

    def _look_again(self, crew: Crew) -> None:
        """Runs that other processes held: completed by now, free by now, or still held."""
        if monotonic() < self._next_look:
            return
        for _ in range(len(self._elsewhere)):
            if self._has_room(crew):
                self._take_up(self._elsewhere.popleft(), crew)
        self._next_look = monotonic() + _LOOK_SECONDS

    def _take_up(self, run: PlannedRun, crew: Crew) -> None:
        """Begin a run, unless it is complete, or another process is at it."""
        name = run.point.name
        try:
            if self._find(run):
                return
            lock = self.store.try_lock(name, run.run_id)
        except OSError as error:
            self._fail(run, f"its folder cannot be made: {error.strerror or error}")
            return
        except UsageError as error:
            self._fail(run, str(error))
            return
        if lock is None:
            self._elsewhere.append(run)
            return
        # Who held it may have completed it between the two looks.
        if self._find(run):
            self.store.release(lock)
            return
        checkpoint = None if self.force else self.store.checkpoint(name, run.run_id)
        key, point = run.key, run.point
        job = Job(key, point.config, run.seed, run.run_id, point.data, checkpoint)
        self._submit(Hand(run, lock, job), crew)

    def _find(self, run: PlannedRun) -> bool:
        """Whether a run is complete, in which case it is counted."""
        if self.force:
            return False
        record = self.store.find(run.point.name, run.run_id)
        if record is None:
            return False
        with suppress(OSError):
            self.store.tidy(run.point.name, run.run_id)
        self._count(run, record, trained=False)
        return True

    def _submit(self, hand: Hand, crew: Crew) -> None:
        self._locks[hand.run.key] = hand
        future = crew.submit(hand.job, lambda: self._dataset(hand.run))
        self._in_hand[future] = hand

    def _take_in(self, crew: Crew) -> None:
        """Wait a moment for results, and deal with all that has come."""
        done, _ = wait(self._in_hand, _TICK_SECONDS, FIRST_COMPLETED)
        for message in crew.messages():
            self.hear(message)
        # Results first: where a lost worker's run cannot be given out again, the sweep ends.
        for future in sorted(done, key=lambda future: _is_lost(future, crew)):
            self._finish(self._in_hand.pop(future), future, crew)
        crew.check()
        self.watcher.tick(self.tally)
        if not self.stopping():
            return
        if self._deadline is None:
            self._deadline = monotonic() + crew.patience
            # Of what has been given out, half may still be on its way.
            self.watcher.stopping(min(len(self._in_hand), (crew.capacity + 1) // 2))
            crew.stop()
        elif monotonic() > self._deadline:
            self._in_hand.clear()

    def _finish(self, hand: Hand, future: Future[RunResult | None], crew: Crew) -> None:
        if _is_lost(future, crew):
            reason = "" if future.cancelled() else str(future.exception())
            self._again(hand, reason or "its worker was lost", crew)
            return
        try:
            result = future.result()
        except Exception as error:  # one run's trouble is not the others'
            known = isinstance(error, NnrunError)
            self._give_up(hand, str(error) if known else f"{type(error).__name__}: {error}")
            return
        unasked = not self.stopping() if result is None else not self._save(hand.run, result)
        if unasked:
            self._again(hand, "its worker had lost sight of this process", crew)
            return
        self._release(hand)

    def _again(self, hand: Hand, reason: str, crew: Crew) -> None:
        """Give out a run whose worker was lost once more, from where it is known to have been."""
        crew.check()
        if self.stopping():
            self._release(hand)
        elif hand.attempt == MOST_ATTEMPTS:
            self._give_up(hand, f"tried {MOST_ATTEMPTS} times, each time {reason}")
        else:
            self.watcher.retried(hand.run, reason)
            crew.renew()
            checkpoint = self.store.checkpoint(hand.run.point.name, hand.run.run_id)
            job = replace(hand.job, checkpoint=checkpoint)
            self._submit(replace(hand, job=job, attempt=hand.attempt + 1), crew)

    def _save(self, run: PlannedRun, result: RunResult) -> bool:
        """Store a result; False if the run was interrupted though nobody asked for it."""
        record, asked = result.record, self.stopping()
        if record.status == "interrupted" and self._is_worth_less(run, record):
            return asked
        try:
            self.store.save(result)
        except OSError as error:
            self._fail(run, f"cannot be saved: {error.strerror or error}")
            return True
        if record.status == "interrupted":
            self.tally.interrupted += asked
            return asked
        self._count(run, record, trained=True)
        return True

    def _is_worth_less(self, run: PlannedRun, record: RunRecord) -> bool:
        """Whether an interrupted run has nothing that is not in its folder already."""
        return (
            record.timing["iterations"] == 0
            or self.store.find(run.point.name, run.run_id) is not None
        )

    def _count(self, run: PlannedRun, record: RunRecord, *, trained: bool) -> None:
        self.tally.add(run, record, trained=trained)
        self.watcher.ended(run, record, self.tally, trained=trained)
        if record.status != "completed":
            reason = record.error or record.status
            self._failed |= trained
            self.tally.complain(run, reason)
            self.watcher.failed(run, reason)

    def _give_up(self, hand: Hand, reason: str) -> None:
        """A run that cannot be trained: say so, and leave a report that says why."""
        name, run = hand.run.point.name, hand.run
        try:
            if self.store.find(name, run.run_id) is None:
                checkpoint = self.store.checkpoint(name, run.run_id)
                self.store.save(failed_result(self._prepared(run), reason, checkpoint))
        except (OSError, MemoryError, NnrunError) as error:
            self.watcher.warn(f"{run.label}: no report of its failure: {error}")
        self._fail(run, reason)
        self._release(hand)

    def _fail(self, run: PlannedRun, reason: str) -> None:
        self._failed = True
        self.tally.fail(run, reason)
        self.watcher.failed(run, reason)

    def _release(self, hand: Hand) -> None:
        self._locks.pop(hand.run.key, None)
        self.watcher.gone(hand.run)
        self.store.release(hand.lock)

    def _dataset(self, run: PlannedRun) -> Dataset:
        return self.datasets.load(config_from_dict(json.loads(run.point.config)).dataset)

    def _prepared(self, run: PlannedRun) -> Prepared:
        config = config_from_dict(json.loads(run.point.config) | {"seed": run.seed})
        return prepare_again(config, self.datasets.load(config.dataset))


def _is_lost(future: Future[RunResult | None], crew: Crew) -> bool:
    """Whether a run has ended because its worker did."""
    return future.cancelled() or isinstance(future.exception(), (*crew.lost, CancelledError))
