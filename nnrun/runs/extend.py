"""Extending a completed run: the same training, continued for more iterations."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnrun.config.names import is_name
from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.dataset import Dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.models.files import MODEL
from nnrun.models.tensors import unpack
from nnrun.models.weights import load_weights, weights_sha256
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.contents.history import load_history
from nnrun.runs.storage.contents.names import CONFIG, HISTORY, REPORT, STATE
from nnrun.runs.storage.contents.watched import read_watched
from nnrun.runs.storage.integrity import no_model, refuse_changed
from nnrun.runs.storage.reading import damaged, read_run, refuse_damaged
from nnrun.runs.stored_config import load_named, load_stored
from nnrun.training.early_stopping import EarlyStopping
from nnrun.training.state import TrainingState, copies, live_arrays, network_arrays
from nnrun.training.watching.watched import add_record


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
        stopping = state.values["stopping"]
        exhausted = stopping is not None and EarlyStopping(**stopping).exhausted
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
    network, optimizer = longer.network, longer.config.training.optimizer.build()
    network.initialize(rng=longer.streams.weights)
    optimizer.allocate(network.theta)
    try:
        load_weights(network, weights)
        arrays = copies(live_arrays(network, optimizer))
        if "theta" in kept:
            best = copies(network_arrays(network))
            arrays |= {f"best.{name}": array for name, array in best.items()}
        lacking = {name for name in arrays if name.startswith("optimizer.")} - kept.keys()
        if lacking:
            raise KeyError(*lacking)
        values = stored["state"]
        history = load_history(folder)
        if values["iteration"] % longer.evaluate_every:
            history = history[:-1]
        values = {**values, "history": history, **_seconds(record)}
        values["environments"] = record.environments
        state = TrainingState({**arrays, **kept}, values)
    except (KeyError, TypeError, ValueError) as error:
        raise NnrunError(f"{folder}: damaged, or of another version of nnrun") from error
    watched = read_watched(folder, record)
    if watched is not None:
        add_record(state, watched)
    return state


def _seconds(record: RunRecord) -> dict[str, float]:
    return {key: record.timing[key] for key in ("train_seconds", "evaluation_seconds")}
