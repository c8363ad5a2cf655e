"""Out-of-fold predictions as a table, and as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped, quoted
from nnrun.config.load import config_from_dict
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.inference.put_aside import NpzArrays
from nnrun.data.inference.sources import read_carried
from nnrun.data.splits import load_dataset
from nnrun.errors import NnrunError, UsageError
from nnrun.frames import to_frame
from nnrun.models.load import load_model as load
from nnrun.models.model import Model
from nnrun.models.scores import Metrics, measured
from nnrun.models.task import DEFAULT, Classification, Decision, Regression, Task
from nnrun.models.writing import JsonRows, carried_cells, cells, check_carried, csv_lines, spelled
from nnrun.nn.signature import Array
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.runs.record import Replicate, RunRecord
from nnrun.runs.storage.reading import read_run, refuse_damaged, refuse_unusable_model
from nnrun.runs.storage.sweep_progress import ids_in
from nnrun.runs.stored_config import require_data

Drawn = tuple[int | None, int]
"""The seed of the split, if it has its own, and that of the run."""


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions of an experiment for the rows that its folds test, in the order of the file.

    Args:
        name: of the experiment.
        folds: the number of folds.
        drawn: the seed of the split, if it has its own, and that of the runs; with several such
            pairs, predictions are means over them: of values, or of the probabilities of classes.
        rows: the number of each row in the file, from 1 on.
        fold: the fold that tests the row, for each pair of seeds: (rows, pairs).
        target: values in their own units, or labels.
        prediction: likewise.
        probability: (rows, classes); None where the network's outputs are no probabilities.
        classes: the labels, in the order of the probabilities.
        targets: the names of the target columns.
        score: the metrics of the predictions.
        untested: how many rows no fold tests, as the first ones by time.
        incomplete: in words, the seeds that lack folds and are left out.
        carried: columns of the data, by name, as they are in the file.
    """

    name: str
    folds: int
    drawn: tuple[Drawn, ...]
    rows: npt.NDArray[np.intp]
    fold: npt.NDArray[np.intp]
    target: Array
    prediction: Array
    probability: Array | None
    classes: Array
    targets: tuple[str, ...]
    score: Metrics
    untested: int
    incomplete: tuple[str, ...]
    carried: Mapping[str, Array]

    @property
    def seeds(self) -> list[int]:
        """The seeds of the runs."""
        return [seed for _, seed in self.drawn]

    def columns(self) -> dict[str, Array]:
        """A table: carried columns, row, fold, target, prediction and, for classes, `p_<class>`.

        With several seeds, `fold` has the fold for each, as text. Several targets have columns
        `target_<name>` and `prediction_<name>`.

        Raises: UsageError if a carried column is called like one of the others.
        """
        one = self.fold.shape[1] == 1
        fold = self.fold[:, 0] if one else np.array([" ".join(map(str, f)) for f in self.fold])
        table: dict[str, Array] = {"row": self.rows, "fold": fold}
        for name, values in (("target", self.target), ("prediction", self.prediction)):
            several = zip(self.targets, values.T, strict=True) if values.ndim > 1 else ()
            table |= {f"{name}_{target}": column for target, column in several}
            if values.ndim == 1:
                table[name] = values
        if self.probability is not None:
            names = (f"p_{label}" for label in spelled(self.classes))
            table |= dict(zip(names, self.probability.T, strict=True))
        check_carried(self.carried, table)
        return {**self.carried, **table}

    def to_frame(self) -> Any:
        """The same as a pandas DataFrame.

        Raises: ModuleNotFoundError if pandas is not installed.
        """
        return to_frame(self.columns())


def _written(found: OutOfFold) -> dict[str, Array]:
    """The table with labels as the names of their columns spell them."""
    table = found.columns()
    if len(found.classes):
        table |= {name: spelled(table[name]) for name in ("target", "prediction")}
    return table


def write_csv(found: OutOfFold, sink: BinaryIO) -> None:
    """A table with a header."""
    table, carried = _written(found), found.carried
    header = [[quoted(name if name in carried else escaped(name))] for name in table]
    columns = [
        (carried_cells if name in carried else cells)(column) for name, column in table.items()
    ]
    sink.write((csv_lines(header) + csv_lines(columns)).encode())


def write_npz(found: OutOfFold, sink: BinaryIO) -> None:
    """Arrays `row`, `fold` (rows, seeds), `target`, `prediction` and, of classes, `probability`."""
    arrays: dict[str, Any] = {
        "row": found.rows,
        "fold": found.fold,
        "target": found.target,
        "prediction": found.prediction,
    }
    if found.probability is not None:
        arrays["probability"] = found.probability
    check_carried(found.carried, arrays)
    archive = NpzArrays(sink)
    archive.add({**found.carried, **arrays})
    archive.close(complete=True)


def write_json(found: OutOfFold, sink: BinaryIO) -> None:
    """An array with an object for each row."""
    table = _written(found)
    rows = JsonRows(sink, list(table))
    rows.add(list(table.values()))
    rows.close()


OUT_OF_FOLD_WRITERS: dict[str, Callable[[OutOfFold, BinaryIO], None]] = {
    "csv": write_csv,
    "npz": write_npz,
    "json": write_json,
}


# The predictions of all folds of a setting, joined.


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
    columns = read_carried(Path(config.path), names, config.separator, config.encoding)
    return {name: column[rows - 1] for name, column in columns.items()}


def _mean(values: list[Array]) -> Array:
    """Mean of several seeds; of one seed the values as they are, in their dtype."""
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
