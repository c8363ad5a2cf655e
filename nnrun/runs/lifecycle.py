"""The life cycle of a run, the same for one run, for each run of a sweep, and in memory.

    complete already ────────────────────────────────► its record
    leased ─► its checkpoint ─► trained ─► worth keeping? ─► saved ─► released

`train` goes all the way in one process. A sweep begins runs, has workers `execute` them, and lets
each `RunLease` conclude with their results. Nothing else takes locks or writes run folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nnrun.errors import EngineFaultError, PluginFaultError
from nnrun.runs.execution.callbacks import Callbacks, now_and_then
from nnrun.runs.execution.execute import execute
from nnrun.runs.execution.result import record_of
from nnrun.runs.lease import Outcome, RunLease, begin
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord, RunResult, compare_published, published_of
from nnrun.runs.replicate import Replicate
from nnrun.runs.storage.store import Store
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress

if TYPE_CHECKING:
    from nnrun.runs.extend import Extension


def train(
    prepared: Prepared,
    store: Store | None,
    callbacks: Callbacks | None = None,
    *,
    force: bool = False,
    extension: Extension | None = None,
) -> Outcome:
    """Train a run and save it, unless it is complete already.

    Without a store the results are kept in memory. `force` trains a run even if it is complete or
    damaged; `extension` is the shorter run that this one continues, if any.

    Raises: UsageError if the stored run is damaged; OSError if the results cannot be written;
    EngineFaultError if the compiled engine does not compute what NumPy does, PluginFaultError if a
    plugin is wrong: the run is kept as failed.
    """
    callbacks = callbacks or Callbacks()
    name, run_id = prepared.config.name, prepared.run_id

    def held() -> bool:
        callbacks.note("another process is training this run; waiting for it")
        return True

    begun = begin(
        store, name, run_id,
        force=force, held=held, stopped=callbacks.evaluated is not None, metrics=prepared.metrics,
        watched=prepared.watched,
    )  # fmt: skip
    assert begun is not None, "it was waited for"
    if isinstance(begun, Outcome):
        return replace(begun, record=_reworded(begun.record, prepared))
    with begun as lease:
        checkpoint = lease.checkpoint(callbacks.note)
        writing = _written(callbacks, prepared, lease)
        try:
            shorter = () if extension is None else (extension.state, extension.origin)
            result = execute(prepared, checkpoint, writing, *shorter)
        except (EngineFaultError, PluginFaultError) as error:
            reason = str(error)
            with suppress(OSError):  # the user must see the fault, not this error
                lease.fail(
                    lambda state: RunResult(record_of(prepared, "failed", reason), checkpoint=state)
                )
            raise
        return lease.conclude(result, callbacks.note)


def _written(callbacks: Callbacks, prepared: Prepared, lease: RunLease) -> Callbacks:
    """The callbacks, which also write checkpoints and progress into the folder of the run."""

    def save(state: TrainingState) -> None:
        lease.save_checkpoint(state, callbacks.note)

    def about() -> tuple[Replicate, Mapping[str, Any], str]:
        config = prepared.config_dict
        return Replicate.of(config, prepared.config.seed), config, prepared.dataset.sha256

    def note(progress: Progress) -> None:
        lease.note(progress, about)

    def at(iteration: int) -> None:
        note(Progress(iteration, max(1, prepared.iterations), None, 0.0))

    def start(iteration: int) -> None:
        if iteration:  # it continues, so it is long
            at(iteration)
        callbacks.start(iteration)

    def wait(text: str) -> None:
        at(0)
        callbacks.wait(text)

    def observe(progress: Progress) -> None:
        note(progress)
        callbacks.observe(progress)

    return replace(
        callbacks, start=start, wait=wait, observe=observe, checkpoint=now_and_then(save)
    )


def _reworded(record: RunRecord, prepared: Prepared) -> RunRecord:
    """A record with the config's present description and published numbers."""
    return replace(
        record,
        config=prepared.config_dict,
        description=prepared.config.description,
        published=compare_published(published_of(prepared.config), record.metrics),
    )
