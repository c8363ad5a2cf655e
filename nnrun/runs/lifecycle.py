"""The life cycle of a run, the same for one run, for each run of a sweep, and in memory.

    complete already ────────────────────────────────► its record
    leased ─► its checkpoint ─► trained ─► worth keeping? ─► saved ─► released

`train` goes all the way in one process. A sweep begins runs, has workers `execute` them, and lets
each `RunLease` conclude with their results. Nothing else takes locks or writes run folders.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnrun.config.names import is_name
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.dataset import Dataset
from nnrun.errors import EngineFaultError, NnrunError, PluginFaultError, UsageError
from nnrun.models import MODEL
from nnrun.models.load import load_weights, of_member, unpack, weights_sha256
from nnrun.nn.signature import Array
from nnrun.runs.events import Listener, Listeners, now_and_then
from nnrun.runs.execution.execute import execute
from nnrun.runs.execution.members import joined_states
from nnrun.runs.execution.result import record_of
from nnrun.runs.lease import Outcome, RunLease, begin
from nnrun.runs.preparation.commit import commit_of
from nnrun.runs.preparation.members import members_of
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import Replicate, RunRecord, RunResult, compare_published, published_of
from nnrun.runs.storage.contents import read_watched
from nnrun.runs.storage.reading import (
    CONFIG,
    HISTORY,
    REPORT,
    STATE,
    damaged,
    load_history,
    no_model,
    read_run,
    refuse_changed,
    refuse_damaged,
)
from nnrun.runs.storage.store import Store
from nnrun.runs.stored_config import load_named, load_stored
from nnrun.training.state import TrainingState, allocate, copies, live_arrays, network_arrays
from nnrun.training.stopping import EarlyStopping
from nnrun.training.trainer import Progress
from nnrun.training.watched import add_record

# Extending a completed run: the same training, continued for more iterations.


@dataclass(frozen=True)
class Extension:
    """A longer run, and the state of training that it starts from.

    `origin` has the id and iterations of the shorter run, for the report.
    """

    prepared: Prepared
    state: TrainingState
    origin: dict[str, Any]


def extend(
    folder: Path,
    iterations: int,
    name: str | None = None,
    load: Callable[[DatasetConfig], Dataset] | None = None,
) -> Extension:
    """Prepare to continue the completed run in a folder for more iterations.

    The evaluation interval, the length of the schedule and the engine stay those of the shorter
    run. So the longer run has the bits that training all iterations at once gives. `name` is that
    of the longer run's experiment; by default the name in its config.

    Raises: ConfigError if its config is damaged, or its data are missing; UsageError if it did not
    complete, was trained on other data, or would gain nothing: early stopping or the end of its
    schedule keep more iterations from changing anything; NnrunError if its files are damaged.
    """
    record = _completed(folder)
    refuse_changed(folder, record, CONFIG, HISTORY, MODEL, STATE)
    stored = load_stored(folder, record)
    shorter = prepare(stored, load or load_named(stored))
    if shorter.config.name != record.name:
        raise UsageError(damaged(folder, f"{REPORT} is that of {record.name}/{record.run_id}"))
    if shorter.dataset.sha256 != record.dataset["sha256"]:
        raise UsageError(f"{folder}: its data have changed, so it cannot be extended")
    if shorter.run_id != record.run_id:
        raise UsageError(f"{folder}: another version of nnrun trained it, so it cannot be extended")
    _refuse_ended_schedule(folder, shorter, iterations)
    config = _longer(folder, shorter, record, iterations)
    if name is not None and is_name(name):
        config = config.model_copy(update={"name": name})
    longer = prepare(replace(stored, config=config), lambda _: shorter.dataset)
    state = _state(folder, longer, record)
    _refuse_exhausted(folder, state)
    origin = {"run_id": record.run_id, "iterations": shorter.iterations}
    return Extension(longer, state, origin)


def _completed(folder: Path) -> RunRecord:
    run = read_run(folder)
    if run is None:
        raise UsageError(f"{folder}: there is no run")
    refuse_damaged(run, folder)
    record = run.record
    if record is None:
        raise UsageError(f"{folder}: only a completed run can be extended, and {run.problem}")
    if record.beside is not None:
        raise UsageError(f"{folder}: {no_model(record)}, so it cannot be extended")
    if record.status != "completed":
        raise UsageError(f"{folder}: only a completed run can be extended; this is {record.status}")
    if record.stopped_early:
        raise UsageError(
            f"{folder}: it stopped early after {record.timing['iterations']} iterations; "
            "more of them would change nothing"
        )
    return record


def _refuse_ended_schedule(folder: Path, shorter: Prepared, iterations: int) -> None:
    """Refuse a run whose learning rate would be 0 from here on."""
    schedule, total = shorter.schedule, shorter.iterations
    if not hasattr(schedule, "over"):
        return
    whole, warmup = total + iterations, getattr(schedule, "warmup", 0)
    if schedule.over is None and warmup > total:
        why = f"its warmup of {warmup} iterations is not over"
    elif schedule.rate_at(total, total) == 0:
        why = f"its learning rate is 0 after iteration {schedule.over or total}"
    else:
        return
    longer = () if schedule.over is None else (f"training.learning_rate.over={whole}",)
    raise UsageError(
        f"{folder}: {why}, and what follows depends on the length of the run; train all iterations "
        f"at once instead:\n  {_whole(folder, whole, *longer)}"
    )


def _refuse_exhausted(folder: Path, state: TrainingState) -> None:
    """Refuse a run that early stopping ends at its last iteration in any case."""
    try:
        every = [each["stopping"] for each in state.values.get("members", [state.values])]
        exhausted = all(
            stopping is not None and EarlyStopping(**stopping).exhausted for stopping in every
        )
    except (KeyError, TypeError) as error:
        raise NnrunError(f"{folder}: damaged, or of another version of nnrun") from error
    if exhausted:
        raise UsageError(
            f"{folder}: early stopping ends it after {state.iteration} iterations in any case; "
            "more of them would change nothing"
        )


def _whole(folder: Path, iterations: int, *overrides: str) -> str:
    """The command that trains all iterations at once."""
    config = str(folder / CONFIG)
    return shlex.join(["nnrun", "train", config, "--iterations", str(iterations), *overrides])


def _longer(
    folder: Path, shorter: Prepared, record: RunRecord, iterations: int
) -> ExperimentConfig:
    training, total = shorter.config.training, shorter.iterations
    off_grid = total % shorter.evaluate_every
    followed = training.early_stopping is not None or shorter.schedule.follows_loss
    if followed and off_grid:
        by = "its schedule" if training.early_stopping is None else "early stopping"
        raise UsageError(
            f"{folder}: {by} has counted the evaluation at iteration {total}, which a "
            "longer run would not make; train all iterations at once instead:\n"
            f"  {_whole(folder, total + iterations)}"
        )
    rate = training.learning_rate
    if not isinstance(rate, float) and getattr(rate, "over", total) is None:
        rate = rate.model_copy(update={"over": total})
    update = {
        "iterations": total + iterations,
        "epochs": None,
        "evaluate_every": shorter.evaluate_every,
        "learning_rate": rate,
        "engine": record.engine,
    }
    return shorter.config.model_copy(update={"training": training.model_copy(update=update)})


def _state(folder: Path, longer: Prepared, record: RunRecord) -> TrainingState:
    """The state of training at the end of the shorter run."""
    weights, stored = unpack(folder / MODEL)
    if weights_sha256(weights) != record.weights_sha256:
        raise NnrunError(f"{folder / MODEL}: damaged; its weights are not those of the report")
    kept = unpack(folder / STATE)[0] if STATE in record.files else {}
    try:
        values = stored["state"]
        if record.members is None:
            states = [_network_state(longer, weights, kept, values)]
        else:
            every = zip(members_of(longer), values["members"], strict=True)
            states = [
                _network_state(each, of_member(weights, number), of_member(kept, number), own)
                for number, (each, own) in enumerate(every)
            ]
        states[0].values["history"] = load_history(folder)
        seconds = {key: record.timing[key] for key in ("train_seconds", "evaluation_seconds")}
        states[0].values.update(seconds, environments=record.environments)
        for state in states:
            history = state.values["history"]
            if history and state.iteration % longer.evaluate_every:
                state.values["history"] = history[:-1]
    except (KeyError, TypeError, ValueError) as error:
        raise NnrunError(f"{folder}: damaged, or of another version of nnrun") from error
    watched = read_watched(folder, record)
    if watched is not None:
        add_record(states[0], watched)
    return states[0] if record.members is None else joined_states(states)


def _network_state(
    longer: Prepared, weights: dict[str, Array], kept: dict[str, Array], values: dict[str, Any]
) -> TrainingState:
    """The state of one network, without its history, from what was stored of its end."""
    network, optimizer = longer.network, longer.config.training.make_optimizer()
    network.initialize(rng=longer.streams.weights)
    allocate(network, optimizer)
    load_weights(network, weights)
    arrays = copies(live_arrays(network, optimizer))
    if "theta" in kept and (values["stopping"] or {}).get("restore_best"):
        best = copies(network_arrays(network))
        arrays |= {f"best.{name}": array for name, array in best.items()}
    lacking = {name for name in arrays if name.startswith("optimizer.")} - kept.keys()
    if lacking:
        raise KeyError(*lacking)
    nothing = {"train_seconds": 0.0, "evaluation_seconds": 0.0, "history": [], "environments": []}
    return TrainingState({**arrays, **kept}, {**nothing, **values})


# A leased run in progress: its folder has checkpoints, and how far the run has come.


class InProgress(Listener):
    """Writes checkpoints and progress into the folder of a run."""

    def __init__(self, prepared: Prepared, lease: RunLease, warn: Callable[[str], None]) -> None:
        self._prepared = prepared
        self._lease = lease
        save = now_and_then(lambda state: lease.save_checkpoint(state, warn))
        super().__init__(checkpoint=save)

    def wait(self, text: str) -> None:
        self._at(0)

    def started(self, run: Prepared, iteration: int) -> None:
        if iteration:  # it continues, so it is long
            self._at(iteration)

    def progressed(self, run: Prepared, progress: Progress) -> None:
        self._lease.note(progress, self._about)

    def _at(self, iteration: int) -> None:
        total = max(1, self._prepared.updates)
        self._lease.note(Progress(iteration, total, None, 0.0), self._about)

    def _about(self) -> tuple[Replicate, Mapping[str, Any], str]:
        config = self._prepared.config_dict
        replicate = Replicate.of(config, self._prepared.config.seed)
        return replicate, config, self._prepared.dataset.sha256


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
        commit = None if store is None else commit_of(prepared.file)
        try:
            shorter = () if extension is None else (extension.state, extension.origin)
            result = execute(prepared, checkpoint, every, *shorter, threads=threads, until=until)
            result = replace(result, record=replace(result.record, commit=commit))
        except (EngineFaultError, PluginFaultError) as error:
            reason = str(error)
            with suppress(OSError):  # the user must see the fault, not this error
                lease.fail(
                    lambda state: RunResult(
                        record_of(prepared, "failed", reason, commit=commit), checkpoint=state
                    )
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
