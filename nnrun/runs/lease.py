"""The lease of a run: while it lasts, this process alone trains the run and saves its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nnrun.errors import NnrunError, UsageError
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.progress import About, ProgressNotes
from nnrun.runs.storage.reading import WATCHED, StoredRun, refuse_damaged
from nnrun.runs.storage.store import RunFolder, Store
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress


def _ignore(text: str) -> None:
    """A sentence that no user sees."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        record: its report.
        folder: of the run; None if nothing is kept on disk.
        trained: false where it had been trained before.
        saved: false where it was interrupted and adds nothing to an earlier result.
        result: with history and weights; None where they are on the disk.
    """

    record: RunRecord
    folder: Path | None
    trained: bool
    saved: bool = True
    result: RunResult | None = None


class RunLease:
    """A run that this process alone may train and save, until it is released.

    Without a store and the locked folder of the run, nothing is kept. `resumes` is whether it
    continues from an existing checkpoint.
    """

    def __init__(
        self,
        store: Store | None,
        folder: RunFolder | None,
        *,
        resumes: bool = False,
    ) -> None:
        self._store = store
        self._folder = folder
        self._resumes = resumes
        self._saved = False
        self._concluded = False
        self._notes: ProgressNotes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        if self._store is not None:
            self._store.leave()

    def checkpoint(self, note: Callable[[str], None] = _ignore) -> TrainingState | None:
        """The state to continue from; None for a new start.

        `note` is called with a sentence if the checkpoint is damaged.
        """
        self._concluded = False
        if self._folder is None or not self._resumes:
            return None
        try:
            return self._folder.checkpoint()
        except NnrunError as error:
            note(f"its checkpoint cannot be used, so it starts over ({error})")
            return None

    def save_checkpoint(self, state: TrainingState, note: Callable[[str], None]) -> bool:
        """Write the state of the run while it is in progress; whether that succeeds.

        `note` is called with the reason if not: the run itself may still end well.
        """
        if self._folder is not None:
            try:
                self._folder.save_checkpoint(state)
            except (OSError, UsageError) as error:
                note(f"no checkpoint: {getattr(error, 'strerror', None) or error}")
                return False
            self._resumes = True
        return True

    def note(self, progress: Progress | None, about: About) -> None:
        """Say how far the run has come, once a second at most; it is no error if that fails.

        Without progress, it waits to begin. `about` returns the run's replicate, its config and the
        digest of its data.
        """
        if self._folder is None or self._concluded:
            return
        if self._notes is None:
            self._notes = ProgressNotes(self._folder.save_progress, about)
        with suppress(OSError):
            if progress is None:
                self._notes.wait()
            else:
                self._notes.add(progress)

    def conclude(self, result: RunResult, note: Callable[[str], None] = _ignore) -> Outcome:
        """Save the result unless a better one exists; an OSError if it cannot be written.

        `note` is called with a sentence about anything unusual.
        """
        self._concluded = True
        if self._store is None or self._folder is None or self._adds_nothing(result.record):
            return self._outcome(result.record, result)
        record = self._store.save(result, self._folder, note)
        return self._outcome(record, result, saved=True)

    def begin_to_conclude(
        self, result: RunResult, note: Callable[[str], None] = _ignore
    ) -> Future[Outcome]:
        """Do what `conclude` does in the background; release the run after the future is done.

        An outcome that was saved holds no history and weights.
        """
        self._concluded = True
        if self._store is None or self._folder is None or self._adds_nothing(result.record):
            future: Future[Outcome] = Future()
            future.set_result(self._outcome(result.record, result))
            return future
        return self._store.save_soon(
            result, self._folder, note, lambda record: self._outcome(record, saved=True)
        )

    def fail(self, failed: Callable[[TrainingState | None], RunResult]) -> None:
        """Save the report of a run that could not be trained, unless a complete one exists.

        `failed` makes the result from the run's checkpoint, if there is one.
        """
        if self._store is None or self._folder is None or self._folder.is_complete:
            return
        self._store.save(failed(self.checkpoint()), self._folder, _ignore)
        self._saved = True

    def release(self) -> None:
        """Let other processes have the run."""
        folder, self._folder = self._folder, None
        if folder is not None:
            if not self._saved:
                folder.tidy()
            folder.release()

    def _outcome(
        self, record: RunRecord, result: RunResult | None = None, *, saved: bool = False
    ) -> Outcome:
        self._saved |= saved
        path = None if self._folder is None else self._folder.path
        return Outcome(record, path, trained=True, saved=self._saved, result=result)

    def _adds_nothing(self, record: RunRecord) -> bool:
        """Whether a run was interrupted before its first update, or a complete result exists.

        The complete result has the same bits, and more of them.
        """
        if record.status not in ("interrupted", "stopped") or self._folder is None:
            return False
        return record.timing["iterations"] == 0 or self._folder.is_complete


def begin(
    store: Store | None,
    name: str,
    run_id: str,
    *,
    force: bool = False,
    held: Callable[[], bool] = lambda: False,
    brief: bool = False,
    stopped: bool = False,
    metrics: Iterable[str] = (),
    watched: bool = False,
) -> Outcome | RunLease | None:
    """Find a complete run, or lease it.

    Args:
        store: where results are kept; None to keep nothing.
        name: of the experiment.
        run_id: of the run.
        force: train it even if it is complete or damaged.
        held: called if another process holds the run; returns whether to wait.
        brief: a record that is found may lack its config and network.
        stopped: a run that a callback stopped counts as complete, too.
        metrics: a completed run whose report lacks one of these is trained again, to the same bits.
        watched: likewise a run without a record of its training, completed or diverged.

    Returns: The outcome of a complete run; else a lease; None if another process holds the run.

    Raises: UsageError if the run is damaged, or a link leads out of the results folder.
    """
    if store is None:
        return RunLease(None, None)
    folder = store.run(name, run_id)
    # The index does not say whether a run was watched.
    known = store.index.find(name, run_id) if brief and not (force or watched) else None
    if known is not None:
        force = _lacks(known, metrics)
        if not force:
            return Outcome(known, folder.path, trained=False)
    found = None if force else _outcome(folder.read(), folder, stopped)
    if found is not None and _lacks(found.record, metrics, watched):
        found, force = None, True
    if found is not None and folder.is_tidy:
        return found
    if not folder.lock() and (found is not None or not held() or not folder.lock(wait=True)):
        return found
    run = folder.locked_run  # another process may have finished it
    found = _outcome(run, folder, stopped)
    force = force or (found is not None and _lacks(found.record, metrics, watched))
    lease = RunLease(store, folder, resumes=not force and run is not None)
    if force:
        return lease
    if found is not None or (run is not None and run.is_damaged):
        lease.release()
        refuse_damaged(run, folder.path)
    return found or lease


def _lacks(record: RunRecord, metrics: Iterable[str], watched: bool = False) -> bool:
    if watched and WATCHED not in record.files:
        return True
    return record.status == "completed" and not all(map(record.has_metric, metrics))


def _outcome(run: StoredRun | None, folder: RunFolder, stopped: bool) -> Outcome | None:
    """The outcome of a run that reached its end, or diverged; None of any other.

    `stopped` is whether one that a callback stopped has an outcome.
    """
    if run is None or run.record is None:
        return None
    if not (run.complete or (stopped and run.is_stopped)):
        return None
    return Outcome(run.record, folder.path, trained=False)
