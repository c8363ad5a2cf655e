"""The life cycle of a run, the same for one run, for each run of a sweep, and in memory.

    found complete ─────────────────────────────────────────► its record
    locked ─► its checkpoint ─► trained ─► worth keeping? ─► saved ─► released

`train` goes all the way in one process. A sweep begins runs, has workers `execute` them, and lets
each `RunLease` conclude with what comes back. Nothing else takes locks or writes run folders.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Self

from nnrun.errors import EngineFaultError, NnrunError, UsageError
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.execution.execute import Execution
from nnrun.runs.execution.failed import failed_result
from nnrun.runs.execution.record_builder import compare_published, published_of
from nnrun.runs.extend import Extension
from nnrun.runs.preparation.prepare import Prepared
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.locks import Lock
from nnrun.runs.storage.reading import refuse_damaged
from nnrun.runs.storage.store import Store
from nnrun.training.state import TrainingState

# A run that is killed without warning loses at most this much.
CHECKPOINT_SECONDS = 10.0
# What a state that is none of this run's leads to, while it is taken up.
_UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Args:
        record: its report.
        folder: where it lies; None if nothing is kept on disk.
        trained: false where it had been trained before.
        saved: false where it was interrupted and adds nothing to what is there.
        result: with history and weights; None where they are to be read from the disk.
    """

    record: RunRecord
    folder: Path | None
    trained: bool
    saved: bool = True
    result: RunResult | None = None


class RunLease:
    """A run that this process alone may train and save, until it is released.

    Args:
        store: where results are kept; None to keep nothing.
        name: of the experiment.
        run_id: of the run.
        lock: on its folder; None where there is none.
        force: its checkpoint, if there is one, is not to be gone on from.
    """

    def __init__(
        self, store: Store | None, name: str, run_id: str, lock: Lock | None, *, force: bool
    ) -> None:
        self.store = store
        self.name = name
        self.run_id = run_id
        self._lock = lock
        self._resumes = not force
        self._saved = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def checkpoint(self, note: Callable[[str], None] = lambda text: None) -> TrainingState | None:
        """Where to go on; None for the start.

        Args:
            note: is told if there is a place, but damaged.
        """
        if self.store is None or not self._resumes:
            return None
        try:
            return self.store.checkpoint(self.name, self.run_id)
        except NnrunError as error:
            note(f"its checkpoint cannot be used, so it starts over ({error})")
            return None

    def save_checkpoint(self, state: TrainingState) -> None:
        """Keep the state of the run while it goes on.

        Raises:
            OSError: it cannot be written.
        """
        if self.store is not None and self._lock is not None:
            self.store.save_checkpoint(self._lock, state)
            self._resumes = True

    def conclude(
        self, result: RunResult, note: Callable[[str], None] = lambda text: None
    ) -> Outcome:
        """Save what came of the run, unless that is less than what is there.

        Args:
            result: of training.
            note: is told what else the user should know.

        Raises:
            OSError: it cannot be written.
        """
        if self.store is None:
            return self._outcome(result.record, result)
        lock = self._held(note)
        if self._adds_nothing(result.record):
            return self._outcome(result.record, result)
        return self._outcome(self.store.save(result, lock), result, saved=True)

    def begin_to_conclude(
        self, result: RunResult, note: Callable[[str], None] = lambda text: None
    ) -> Future[Outcome]:
        """Do what `conclude` does while other work goes on; the run is not released before its end.

        What comes of it holds no history and weights, once they are stored.

        Raises: as `conclude` does, now or from the future.
        """
        if self.store is not None:
            lock = self._held(note)
            if not self._adds_nothing(result.record):
                return self.store.save_soon(
                    result, lock, lambda saved: self._outcome(saved, saved=True)
                )
        future: Future[Outcome] = Future()
        future.set_result(self._outcome(result.record, result))
        return future

    def _held(self, note: Callable[[str], None]) -> Lock:
        """The lock on the run's folder, once that is where it should be."""
        assert self.store is not None
        assert self._lock is not None
        self._lock = self.store.reclaim(self._lock, note)
        return self._lock

    def _outcome(
        self, record: RunRecord, result: RunResult | None = None, *, saved: bool = False
    ) -> Outcome:
        self._saved |= saved
        folder = None if self._lock is None else self._lock.folder
        return Outcome(record, folder, trained=True, saved=self._saved, result=result)

    def fail(
        self, prepare: Callable[[], Prepared], reason: str, traceback: str | None = None
    ) -> None:
        """Leave a report of why the run could not be trained, unless there is a whole one.

        Args:
            prepare: gives the run.
            reason: a sentence.
            traceback: of the error, where that was none of nnrun's own.

        Raises:
            OSError: it cannot be written.
        """
        if self.store is None or self._is_complete():
            return
        failed = failed_result(prepare(), reason, self.checkpoint())
        self.store.save(replace(failed, traceback=traceback), self._held(lambda text: None))
        self._saved = True

    def release(self) -> None:
        """Let others have the run; what is no part of a complete one is removed."""
        if self.store is None or self._lock is None:
            return
        lock, self._lock = self._lock, None
        if self._saved:  # so its folder is not empty
            lock.release()
            return
        self.store.release(lock)
        _tidy(self.store, self.name, self.run_id)

    def _adds_nothing(self, record: RunRecord) -> bool:
        """Whether a run was interrupted before its first update, or there is a whole result.

        What was there before is to the same bits; half of it again adds nothing.
        """
        if record.status != "interrupted":
            return False
        return record.timing["iterations"] == 0 or self._is_complete()

    def _is_complete(self) -> bool:
        return self.store is not None and self.store.find(self.name, self.run_id) is not None


def begin(
    store: Store | None,
    name: str,
    run_id: str,
    *,
    force: bool = False,
    held: Callable[[], bool] = lambda: False,
    brief: bool = False,
) -> RunRecord | RunLease | None:
    """Find a run complete, or claim it.

    Args:
        store: where results are kept; None to keep nothing.
        name: of the experiment.
        run_id: of the run.
        force: train it whatever is there.
        held: is asked whether to wait, if another process is at this run.
        brief: a record that is found may lack its config and network.

    Returns:
        The record of a complete run; else the claim; None if another process has it.

    Raises:
        UsageError: what is there is damaged, or a link leads out of the results folder.
        OSError: the run's folder cannot be made.
    """
    if store is None:
        return RunLease(None, name, run_id, None, force=force)
    if brief and not force and (record := store.known(name, run_id)) is not None:
        return record
    lock = store.lock(name, run_id, new=True)  # where there is no folder, nothing is to be read
    if lock is None:
        if not force and (record := store.find(name, run_id)) is not None:
            _tidy(store, name, run_id)
            return record
        lock = store.lock(name, run_id)
    if lock is None and held():
        lock = store.lock(name, run_id, wait=True)
    if lock is None:
        return None
    nothing = force or lock.is_empty
    claim = RunLease(store, name, run_id, lock, force=nothing)
    try:
        record = None if nothing else _settled(store, name, run_id)
    except BaseException:
        claim.release()
        raise
    if record is not None:
        claim.release()
    return record or claim


def _settled(store: Store, name: str, run_id: str) -> RunRecord | None:
    """The record of a run that nobody is at, if it is complete: whoever held it may have done that.

    Raises:
        UsageError: it is damaged.
    """
    found = store.read(name, run_id)
    refuse_damaged(found, store.folder(name, run_id))
    return found.record if found is not None and found.complete else None


def train(
    prepared: Prepared,
    store: Store | None,
    control: Callbacks | None = None,
    *,
    force: bool = False,
    extension: Extension | None = None,
) -> Outcome:
    """Train a run and store it, unless it is there already.

    Args:
        prepared: the run.
        store: where results are kept; None to keep them in memory.
        control: watches and steers it.
        force: train again whatever is there.
        extension: where to start from, if that is where another run has ended.

    Raises:
        UsageError: what is there is damaged.
        OSError: the results cannot be written.
        EngineFaultError: the compiled engine does not compute what NumPy does; the run is kept as
            failed.
    """
    control = control or Callbacks()
    name, run_id = prepared.config.name, prepared.run_id

    def held() -> bool:
        control.note("another nnrun is at this very run; waiting for it")
        return True

    begun = begin(store, name, run_id, force=force, held=held)
    assert begun is not None, "it was waited for"
    if isinstance(begun, RunRecord):
        folder = None if store is None else store.folder(name, run_id)
        return Outcome(_in_words_of(prepared, begun), folder, trained=False)
    with begun as claim:

        def save(state: TrainingState) -> None:
            try:
                claim.save_checkpoint(state)
            except (OSError, UsageError) as error:  # the run itself may still end well
                control.note(f"no checkpoint: {getattr(error, 'strerror', None) or error}")

        saving = replace(control, checkpoint=now_and_then(save))
        checkpoint = claim.checkpoint(control.note)
        try:
            result = execute(prepared, checkpoint, saving, extension)
        except EngineFaultError as error:
            with suppress(OSError):  # the fault is what has to be told
                claim.fail(lambda: prepared, str(error))
            raise
        return claim.conclude(result, control.note)


def execute(
    prepared: Prepared,
    checkpoint: TrainingState | None,
    control: Callbacks,
    extension: Extension | None = None,
) -> RunResult:
    """Train a run in this process, from the checkpoint, or from its start if it is none of its."""
    origin = None if extension is None else extension.origin
    execution = None
    if checkpoint is not None:
        execution = _resumed(prepared, checkpoint, origin, control)
        if execution is None:
            control.note("its checkpoint does not fit the run, so it starts over")
    if execution is None:
        start = None if extension is None else extension.state
        try:
            execution = Execution(prepared, start, origin, control)
        except _UNFIT as error:
            if start is None:
                raise
            raise NnrunError(f"the state that {origin} ended in is damaged") from error
    return execution.run(control)


def _resumed(
    prepared: Prepared,
    checkpoint: TrainingState,
    origin: dict[str, Any] | None,
    control: Callbacks,
) -> Execution | None:
    if checkpoint.iteration > prepared.iterations:
        return None
    with suppress(*_UNFIT):
        return Execution(prepared, checkpoint, origin, control)
    return None


def now_and_then(
    save: Callable[[TrainingState], None],
) -> Callable[[Callable[[], TrainingState]], None]:
    """What has the state of a run saved every few seconds."""
    last = monotonic()

    def checkpoint(state: Callable[[], TrainingState]) -> None:
        nonlocal last
        if monotonic() - last > CHECKPOINT_SECONDS:
            save(state())
            last = monotonic()

    return checkpoint


def _in_words_of(prepared: Prepared, found: RunRecord) -> RunRecord:
    """A report with what the config says of it now; its run is the same, whatever is said."""
    return replace(
        found,
        config=prepared.config_dict,
        description=prepared.config.description,
        published=compare_published(published_of(prepared.config), found.metrics),
    )


def _tidy(store: Store, name: str, run_id: str) -> None:
    """What cannot be removed, or lies behind a link by now, does no harm."""
    with suppress(OSError, UsageError):
        store.tidy(name, run_id)
