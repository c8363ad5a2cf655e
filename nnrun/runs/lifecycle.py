"""The life cycle of a run, the same for one run, for each run of a sweep, and in memory.

    complete already ────────────────────────────────► its record
    leased ─► its checkpoint ─► trained ─► worth keeping? ─► saved ─► released

`train` goes all the way in one process. A sweep begins runs, has workers `execute` them, and lets
each `RunLease` conclude with their results. Nothing else takes locks or writes run folders.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nnrun.errors import EngineFaultError, PluginFaultError
from nnrun.runs.events import Listener, Listeners
from nnrun.runs.execution.execute import execute
from nnrun.runs.execution.result import record_of
from nnrun.runs.in_progress import InProgress
from nnrun.runs.lease import Outcome, begin
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord, RunResult, compare_published, published_of
from nnrun.runs.storage.store import Store

if TYPE_CHECKING:
    from nnrun.runs.extend import Extension


def train(
    prepared: Prepared,
    store: Store | None,
    listener: Listener | None = None,
    *,
    threads: int = 1,
    until: int | None = None,
    force: bool = False,
    extension: Extension | None = None,
) -> Outcome:
    """Train a run and save it, unless it is complete already.

    Without a store the results are kept in memory. `force` trains a run even if it is complete or
    damaged; `extension` is the shorter run that this one continues, if any. A run has the same bits
    for any number of `threads`, and pauses at the first evaluation from the iteration `until` on.

    Raises: UsageError if the stored run is damaged; OSError if the results cannot be written;
    EngineFaultError if the compiled engine does not compute what NumPy does, PluginFaultError if a
    plugin is wrong: the run is kept as failed.
    """
    listener = listener or Listener()
    name, run_id = prepared.config.name, prepared.run_id

    def held() -> bool:
        listener.warn("another process is training this run; waiting for it")
        return True

    begun = begin(
        store, name, run_id,
        force=force, held=held, stopped=listener.decides, metrics=prepared.metrics,
        watched=prepared.watched,
    )  # fmt: skip
    assert begun is not None, "it was waited for"
    if isinstance(begun, Outcome):
        outcome = replace(begun, record=_reworded(begun.record, prepared))
        listener.saved(prepared, outcome)
        return outcome
    with begun as lease:
        checkpoint = lease.checkpoint(listener.warn)
        every = Listeners(InProgress(prepared, lease, listener.warn), listener)
        try:
            shorter = () if extension is None else (extension.state, extension.origin)
            result = execute(prepared, checkpoint, every, *shorter, threads=threads, until=until)
        except (EngineFaultError, PluginFaultError) as error:
            reason = str(error)
            with suppress(OSError):  # the user must see the fault, not this error
                lease.fail(
                    lambda state: RunResult(record_of(prepared, "failed", reason), checkpoint=state)
                )
            raise
        outcome = lease.conclude(result, listener.warn)
    listener.saved(prepared, outcome)
    return outcome


def _reworded(record: RunRecord, prepared: Prepared) -> RunRecord:
    """A record with the config's present description and published numbers."""
    return replace(
        record,
        config=prepared.config_dict,
        description=prepared.config.description,
        published=compare_published(published_of(prepared.config), record.metrics),
    )
