"""The predictions of all folds of a setting, joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnrun.config.load import config_from_dict
from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.inference.columns import read_carried
from nnrun.data.load import load_dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.models.decision import DEFAULT, Decision
from nnrun.models.load import load
from nnrun.models.measured import measured
from nnrun.models.model import Model
from nnrun.models.task import Classification, Regression, Task
from nnrun.nn.signature import Array
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.record import RunRecord
from nnrun.runs.replicate import Replicate
from nnrun.runs.storage.folders import ids_in
from nnrun.runs.storage.integrity import refuse_unusable_model
from nnrun.runs.storage.reading import read_run, refuse_damaged
from nnrun.runs.stored_config import require_data
from nnrun.sweeps.out_of_fold.table import Drawn, OutOfFold


@dataclass(frozen=True)
class _Stored:
    record: RunRecord
    folder: Path


def out_of_fold(
    folder: Path, *, all_seeds: bool, threshold: float | None = None, carried: Sequence[str] = ()
) -> OutOfFold:
    """The out-of-fold predictions of a run's setting.

    Args:
        folder: of one of its runs.
        all_seeds: whether to take all seeds of the setting, and not that of the run alone.
        threshold: at which the positive one of two classes is predicted; by default that of each
            run, or its mean over the seeds.
        carried: columns of the data file that the table has, too.

    Raises: UsageError if the run has no folds, is damaged, or its data cannot be read; or a
    threshold cannot decide between its classes; or there is no column to carry; NnrunError if no
    seed has all folds, or the data have changed.
    """
    run = _read(folder)
    if run is None:
        refuse_damaged(read_run(folder, placed=True), folder)
        raise UsageError(f"{folder}: there is no run that has ended")
    folds = run.record.config["dataset"].get("folds")
    if not folds:
        raise UsageError(
            f"{run.record.name}/{run.record.run_id} has no folds; `nnrun sweep CONFIG "
            "dataset.folds=5 dataset.test_size=null` trains a config in folds"
        )
    drawn = _by_seed(run)
    if not all_seeds:
        drawn = {_drawn(run.record): drawn[_drawn(run.record)]}
    lacking = {key: _lacking(key, runs, folds) for key, runs in drawn.items()}
    complete = {key: runs for key, runs in drawn.items() if not lacking[key]}
    incomplete = tuple(filter(None, lacking.values()))
    if not complete:
        raise NnrunError(
            f"{run.record.name}: no seed has all of its {folds} folds: {'; '.join(incomplete)}; "
            "`nnrun sweep` of its config trains them"
        )
    return _predicted(complete, incomplete, threshold, carried)


def _read(folder: Path) -> _Stored | None:
    found = read_run(folder, placed=True)
    if found is None or found.record is None or found.problem:
        return None
    return _Stored(found.record, folder)


def _drawn(record: RunRecord) -> Drawn:
    return Replicate.of(record.config, record.seed).split_seed, record.seed


def _by_seed(run: _Stored) -> dict[Drawn, dict[int, _Stored]]:
    """The runs of a setting by seed and fold; of equal ones, the last completed one."""
    wanted, parent = settings_of(run.record), run.folder.parent
    stored = (_read(parent / run_id) for run_id in ids_in(parent.parent, parent.name))
    alike = [found for found in stored if found and settings_of(found.record) == wanted]
    by_seed: dict[Drawn, dict[int, _Stored]] = {}
    for found in sorted(alike, key=_by_merit):
        runs = by_seed.setdefault(_drawn(found.record), {})
        runs[found.record.config["dataset"].get("fold")] = found
    return by_seed


def _by_merit(run: _Stored) -> tuple[int, bool, str]:
    return run.record.seed, run.record.status == "completed", run.record.started


def _lacking(drawn: Drawn, runs: Mapping[int, _Stored], folds: int) -> str:
    """The folds that a seed has no completed run of, in words; empty if it has all."""
    status = {fold: run.record.status for fold, run in runs.items()}
    missing = {fold: status.get(fold, "not trained") for fold in range(1, folds + 1)}
    words = [f"fold {fold} ({why})" for fold, why in missing.items() if why != "completed"]
    split, seed = drawn
    which = f"seed {seed}" + ("" if split is None else f" of split {split}")
    return f"{which} lacks {', '.join(words)}" if words else ""


def _predicted(
    complete: Mapping[Drawn, Mapping[int, _Stored]],
    incomplete: tuple[str, ...],
    threshold: float | None,
    carried: Sequence[str],
) -> OutOfFold:
    run = next(iter(complete.values()))[1]
    config = config_from_dict(run.record.config).dataset
    require_data(run.record)
    dataset = load_dataset(config)
    if dataset.sha256 != run.record.dataset["sha256"]:
        raise NnrunError(f"{run.record.name}: the data are not those its runs were trained on")
    model = load(run.folder)
    each = [_of_seed(runs, dataset) for runs in complete.values()]
    numbers = np.stack([one.folds for one in each], axis=1)
    tested = numbers[:, 0] > 0
    values = _mean([one.values[tested] for one in each])
    y = dataset.pooled_y[tested]
    task = _task(model, _decision(model, each, tested, threshold))
    weight = None if dataset.weights is None else dataset.weights[tested]
    return OutOfFold(
        name=run.record.name,
        folds=int(run.record.config["dataset"]["folds"]),
        drawn=tuple(complete),
        rows=dataset.row_numbers[tested],
        fold=numbers[tested],
        target=_labelled(model, y),
        prediction=_labelled(model, task.decode(values)),
        probability=values if model.probabilistic else None,
        classes=model.classes,
        targets=model.layout.target_names,
        score=measured(task, values, y, run.record.config.get("metrics") or (), weight),
        untested=int(np.count_nonzero(~tested)),
        incomplete=incomplete,
        carried=_carried(config, carried, dataset.row_numbers[tested]),
    )


def _carried(
    config: DatasetConfig, names: Sequence[str], rows: npt.NDArray[np.intp]
) -> dict[str, Array]:
    """Columns of the data file, for these rows."""
    if not names:
        return {}
    if config.path is None or config.name is not None:
        raise UsageError(f"--id {names[0]}: '{config.name}' is no file with columns to carry")
    columns = read_carried(Path(config.path), names, config.separator)
    return {name: column[rows - 1] for name, column in columns.items()}


def _mean(values: list[Array]) -> Array:
    """Of one seed the values as they are, in their dtype."""
    return values[0] if len(values) == 1 else np.stack(values).mean(axis=0, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _OfSeed:
    """What the runs of a seed give for each row, and the fold that tests it; 0 for no fold.

    `decision` has the thresholds of rows; it is None if no run has one.
    """

    values: Array
    folds: npt.NDArray[np.intp]
    decision: Decision | None


def _of_seed(runs: Mapping[int, _Stored], dataset: Dataset) -> _OfSeed:
    values: Array | None = None
    folds = np.zeros(len(dataset.pooled_y), np.intp)
    thresholds, positive = np.full(len(folds), DEFAULT), None
    for fold, run in runs.items():
        refuse_unusable_model(run.folder, run.record)
        model = load(run.folder)
        test = prepare_again(config_from_dict(run.record.config), dataset).split.test
        assert test is not None  # a fold always tests rows
        found = _values(model, model.evaluate(test.raw))
        if values is None:
            values = np.full((len(folds), found.shape[1]), np.nan, found.dtype)
        values[test.rows], folds[test.rows] = found, fold
        if model.decision is not None:
            thresholds[test.rows], positive = model.decision.threshold, model.positive
    assert values is not None
    return _OfSeed(values, folds, None if positive is None else Decision(positive, thresholds))


def _decision(
    model: Model, each: list[_OfSeed], tested: npt.NDArray[np.bool_], threshold: float | None
) -> Decision | None:
    """The thresholds of the rows that folds test: the one given, or the means over the seeds."""
    if threshold is not None:
        model.decide_from(threshold)
        return model.decision
    found = [one.decision for one in each if one.decision is not None]
    if not found:
        return None
    thresholds = [np.broadcast_to(one.threshold, tested.shape)[tested] for one in found]
    return Decision(found[0].positive, _mean(thresholds))


def _values(model: Model, outputs: Array) -> Array:
    """What is averaged: values in their own units, probabilities, or else the outputs."""
    if isinstance(model.task, Regression):
        return model.task.decode(outputs)
    probabilities = model.task.probabilities(outputs)
    return outputs if probabilities is None else probabilities


def _task(model: Model, decision: Decision | None) -> Task:
    """The meaning of such values."""
    if isinstance(model.task, Regression):
        return Regression(scale=np.asarray, unscale=np.asarray)
    if not model.probabilistic:
        return model.task
    classes = model.task.classes
    return Classification(classes, outputs=classes, probabilistic=True, decision=decision)


def _labelled(model: Model, decoded: Array) -> Array:
    """The labels of class numbers; values (rows,) where a single one is predicted."""
    if isinstance(model.task, Classification):
        return model.classes[decoded]
    return decoded[:, 0] if decoded.shape[1] == 1 else decoded
