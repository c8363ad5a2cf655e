"""The update that a config or a stored run is explained by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nnrun.config.load import Experiment
from nnrun.engines.base import Sampler
from nnrun.errors import NnrunError, UsageError
from nnrun.explain.surfaces import Film, filmed_training
from nnrun.explain.trace import UpdateTrace, trace_update
from nnrun.models import MODEL
from nnrun.models.load import load_weights, of_member, unpack, weights_of, weights_sha256
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepare import PreparedBeside, prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import RunRecord
from nnrun.runs.storage.reading import STATE, damaged, no_model, refuse_changed
from nnrun.runs.stored_config import load_named, load_stored
from nnrun.training.state import allocate, live_arrays


@dataclass(frozen=True)
class Explanation:
    """An update of a config or run, with all its numbers.

    Args:
        moment: which update it is, in a sentence.
        rows: the numbers of the batch's rows in the data, from 1 on.
        classes: the names of the outputs, if they are classes.
        features: the names of the features, if they are columns.
        notes: what differs from training.
        film: the surfaces of the network over its training, if rows are one or two numbers.
    """

    title: str
    description: str
    moment: str
    rows: list[int]
    update: UpdateTrace
    classes: Sequence[str] = ()
    features: Sequence[str] = ()
    notes: Sequence[str] = ()
    film: Film | None = None


def explain_config(experiment: Experiment, rows: Sequence[int] = ()) -> Explanation:
    """The first update of a config's training, with its initial weights.

    Args:
        experiment: the config.
        rows: numbers of training rows in the data, from 1 on; by default the first row of the
            first batch, or its first two rows where batch normalization needs them.

    Raises:
        UsageError: a row is no training row, or the config has no network.
    """
    prepared = _network_of(prepare(experiment), str(experiment.file))
    optimizer = prepared.config.training.make_optimizer()
    prepared.network.initialize(rng=prepared.streams.weights)
    allocate(prepared.network, optimizer)
    return _explained(prepared, optimizer, rows, iteration=0, title=prepared.config.name)


def explain_run(folder: Path, record: RunRecord, rows: Sequence[int] = ()) -> Explanation:
    """The update that would follow the last one of a stored run.

    Args:
        folder: of the run.
        record: its report.
        rows: as of `explain_config`.

    Raises:
        UsageError: a row is no training row, or the run has no network.
        NnrunError: its files are damaged.
    """
    if record.status != "completed" or record.beside is not None:
        raise UsageError(f"{folder}: {no_model(record)}, so there is no update to explain")
    refuse_changed(folder, record, MODEL, STATE)
    stored = load_stored(folder, record)
    prepared = _network_of(prepare(stored, load_named(stored)), str(folder))
    if prepared.dataset.sha256 != record.dataset["sha256"]:
        raise UsageError(f"{folder}: its data have changed, so its rows are not known")
    weights, stored_values = unpack(folder / MODEL)
    if weights_sha256(weights) != record.weights_sha256:
        raise NnrunError(f"{folder / MODEL}: damaged; its weights are not those of the report")
    network, optimizer = prepared.network, prepared.config.training.make_optimizer()
    network.initialize(rng=prepared.streams.weights)
    allocate(network, optimizer)
    try:
        load_weights(network, of_member(weights))
        if prepared.schedule.follows_loss:
            state = stored_values["state"]
            first, *_ = state.get("members", [state])
            prepared.schedule.restore(first["schedule"])
    except (KeyError, TypeError, ValueError) as error:
        raise NnrunError(damaged(folder, f"{MODEL} does not fit its config")) from error
    iteration = int((record.members or {}).get("iterations", [record.timing["iterations"]])[0])
    notes = [] if _restored(folder, record, prepared, optimizer, iteration) else [_FRESH]
    if record.members is not None:
        notes.append(f"this is the first of {record.members['number']} networks")
    title = f"{record.name}/{record.run_id}"
    found = _explained(prepared, optimizer, rows, iteration=iteration, title=title, notes=notes)
    film = found.film
    if film is None or film.frames[-1][0] != iteration:
        return found
    if weights_sha256(weights_of(network)) == weights_sha256(of_member(weights)):
        return found
    return replace(found, film=replace(film, notes=[*film.notes, _OTHER]))


_OTHER = "training again gave other weights than the stored ones, as on another machine"
_FRESH = "the optimizer's state starts empty, since the stored one belongs to other weights"


def _restored(
    folder: Path, record: RunRecord, prepared: Prepared, optimizer: Optimizer, iteration: int
) -> bool:
    """Whether the optimizer's state is restored; true for an optimizer without state."""
    wanted = {name: array for name, array in live_arrays(prepared.network, optimizer).items()
              if name.startswith("optimizer.")}  # fmt: skip
    if not wanted:
        return True
    kept = of_member(unpack(folder / STATE)[0]) if STATE in record.files else {}
    fits = all(name in kept and kept[name].shape == wanted[name].shape for name in wanted)
    if not fits or "theta" in kept:
        return False
    for name, array in wanted.items():
        array[...] = kept[name]
    optimizer.steps = iteration
    return True


def _network_of(prepared: Prepared, place: str) -> Prepared:
    if isinstance(prepared, PreparedBeside):
        what = f"scikit-learn's '{prepared.model}'"
        raise UsageError(f"{place}: {what} is trained without updates, so there is none to explain")
    return prepared


def _explained(
    prepared: Prepared,
    optimizer: Optimizer,
    rows: Sequence[int],
    *,
    iteration: int,
    title: str,
    notes: Sequence[str] = (),
) -> Explanation:
    training, train = prepared.config.training, prepared.examples["train"]
    places = _places(prepared, rows) if rows else _first(prepared)
    weight = None if train.weight is None else train.weight[places]
    batch = replace(train, x=train.x[places], target=train.target[places], weight=weight)
    schedule, total = prepared.schedule, prepared.iterations
    rate = schedule.rate_at(iteration, total)
    if not rate:
        rate = schedule.rate_at(iteration - 1, total)
        notes = [*notes, "the schedule has ended at 0; the rate is that of the last update"]
    update = trace_update(
        prepared.network,
        optimizer,
        batch.x,
        batch.loss_target,
        learning_rate=rate,
        seed=prepared.config.seed,
        clip_norm=training.clip_norm,
    )
    numbers = [int(number) for number in _numbers(prepared)[places]]
    # Last, since it trains the network.
    film = filmed_training(prepared)
    return Explanation(
        title=title,
        description=prepared.config.description,
        moment=_moment(iteration, numbers, training.batch_size),
        rows=numbers,
        update=update,
        classes=prepared.dataset.classes,
        features=prepared.input_names if prepared.dataset.feature_names else (),
        notes=[*notes, *_differences(prepared)],
        film=film,
    )


def _moment(iteration: int, rows: Sequence[int], batch_size: int) -> str:
    which = "the first update" if iteration == 0 else f"the update after {iteration:,} iterations"
    plural = "s" if len(rows) > 1 else ""
    numbers = ", ".join(f"{row:,}" for row in rows)
    whole = "" if len(rows) == batch_size else f"; batches of training have {batch_size:,} rows"
    return f"{which}, on row{plural} {numbers} of the data{whole}"


def _differences(prepared: Prepared) -> list[str]:
    training, found = prepared.config.training, []
    if training.dtype != "float64":
        found.append(f"training computes in {training.dtype}; these numbers are in float64")
    if training.augment is not None:
        found.append("training changes rows at random (augment); this is the row as it is")
    return found


def _first(prepared: Prepared) -> Array:
    """The first rows that training takes."""
    training, rows = prepared.config.training, len(prepared.split.train)
    sampler = Sampler(rows, training.batch_size, training.sampling, rng=prepared.streams.order)
    order, bounds = sampler.take(1)
    needed = 2 if any(layer.batch_dependent for layer in prepared.network.steps) else 1
    return order[: min(needed, int(bounds[1]))]


def _numbers(prepared: Prepared) -> Array:
    """The numbers of the training rows in the data, from 1 on; rows that were left out count."""
    return prepared.dataset.row_numbers[prepared.split.train.rows]


def _places(prepared: Prepared, rows: Sequence[int]) -> Array:
    """The places of rows in the training split, by their numbers in the data."""
    numbers = _numbers(prepared)
    found = []
    for row in rows:
        places = np.flatnonzero(numbers == row)
        if not len(places):
            some = ", ".join(f"{number:,}" for number in np.sort(numbers)[:5])
            raise UsageError(f"--row {row}: not a training row; training rows are {some}, …")
        found.append(int(places[0]))
    return np.array(found)
