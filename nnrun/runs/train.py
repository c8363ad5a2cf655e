"""One run from its config to its folder: found there, gone on with, or trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from nnrun.runs.execute import Control, Execution
from nnrun.runs.prepare import Prepared
from nnrun.runs.record import RunRecord
from nnrun.runs.store import Store
from nnrun.training.state import TrainingState

# A run that is killed without warning loses at most this much.
CHECKPOINT_SECONDS = 10.0


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Args:
        record: its report.
        folder: where it lies.
        trained: false where it had been trained before.
        saved: false where it was interrupted, and its folder has a whole result of before.
    """

    record: RunRecord
    folder: Path
    trained: bool
    saved: bool = True


def train(
    prepared: Prepared, store: Store, control: Control | None = None, *, force: bool = False
) -> Outcome:
    """Train a run and store it, unless it is there already.

    Args:
        prepared: the run.
        store: where results are kept.
        control: watches and steers it.
        force: train again whatever is there.

    Raises:
        OSError: the results cannot be written.
    """
    with store.lock(prepared.config.name, prepared.run_id):
        outcome = _train(prepared, store, control or Control(), force)
    if not outcome.saved:
        store.tidy(prepared.config.name, prepared.run_id)
    return outcome


def _train(prepared: Prepared, store: Store, control: Control, force: bool) -> Outcome:
    name, run_id = prepared.config.name, prepared.run_id
    folder = store.folder(name, run_id)
    if not force and (found := store.find(name, run_id)) is not None:
        return Outcome(found, folder, trained=False)
    checkpoint = None if force else store.checkpoint(name, run_id)
    execution = resume(prepared, checkpoint)
    result = execution.run(_with_checkpoints(control, prepared, store))
    if result.record.status == "interrupted" and store.find(name, run_id) is not None:
        # What was there before is whole, and to the same bits; half of it again adds nothing.
        return Outcome(result.record, folder, trained=True, saved=False)
    store.save(result)
    return Outcome(result.record, folder, trained=True)


def resume(prepared: Prepared, checkpoint: TrainingState | None) -> Execution:
    """From the checkpoint, or from the start where that is no state of this run."""
    if checkpoint is not None:
        try:
            return Execution(prepared, checkpoint)
        except (KeyError, TypeError, ValueError):
            pass
    return Execution(prepared)


def _with_checkpoints(control: Control, prepared: Prepared, store: Store) -> Control:
    last = monotonic()

    def checkpoint(state: Callable[[], TrainingState]) -> None:
        nonlocal last
        if monotonic() - last > CHECKPOINT_SECONDS:
            store.save_checkpoint(prepared.config.name, prepared.run_id, state())
            last = monotonic()

    return replace(control, checkpoint=checkpoint)
