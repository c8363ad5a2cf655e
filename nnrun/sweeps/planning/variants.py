"""Variants of a plan, their folds, and how far their data overlap."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from threading import Lock
from typing import Any

from nnrun.config.load import Experiment
from nnrun.config.names import SPLITS
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.split_rows import Split
from nnrun.data.splits import check_preparation, read_dataset
from nnrun.errors import ConfigError, Problem
from nnrun.metrics.table import larger_is_better
from nnrun.plugins.loading import shipment
from nnrun.pool import LruCache
from nnrun.runs.preparation.config_cache import GridCache
from nnrun.runs.preparation.prepare import MisfitError, check_rows, prepare, prepare_again
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import Replicate, published_of
from nnrun.sweeps.planning.arguments import Seeds
from nnrun.sweeps.planning.estimate import estimate
from nnrun.sweeps.planning.plan import Variant

# How data are divided, and what that means for the results of several seeds or folds.
#
# Each `block` is the resolved `dataset` block of a config, as plain values.

_DIVISION = ("test_size", "validation_size", "stratify", "folds")


def division_of(block: Mapping[str, Any]) -> str:
    """The settings by which data are divided, of the resolved `dataset` block of a config."""
    split = block.get("split") or {}
    settings = [block.get(key) for key in _DIVISION]
    drawn = [split[key] for key in ("test_seed",) if split.get(key) is not None]
    return " ".join(map(str, [*settings, split.get("by", "random"), split.get("column"), *drawn]))


def mean_rows(sizes: Iterable[Sequence[int]]) -> dict[str, float]:
    """The mean size of each split over runs, without splits that have no rows.

    `sizes` are those of the training, validation and test split of each run; they vary with the
    seed where whole groups are drawn.
    """
    means = zip(SPLITS, map(fmean, zip(*sizes, strict=True)), strict=False)
    return {split: mean for split, mean in means if mean}


def split_by_of(block: Mapping[str, Any]) -> str:
    """Column that keeps rows together or in order: `patient_id`, `time in day`; "" at random."""
    split = block.get("split") or {}
    by, column = split.get("by", "random"), split.get("column")
    return {"random": "", "time": f"time in {column}"}.get(by, str(column))


def is_drawn(rows: Mapping[str, float], block: Mapping[str, Any]) -> bool:
    """Whether a seed decides which rows are in which split, of these sizes."""
    if (block.get("split") or {}).get("by") == "time":
        return False
    return "validation" in rows or ("test" in rows and not _is_fixed(block))


def _is_fixed(block: Mapping[str, Any]) -> bool:
    """Whether the test rows are the same for all seeds."""
    own = (block.get("split") or {}).get("test_seed") is not None
    return own or block.get("test_size") == "given"


def overlap_of(rows: Mapping[str, float], block: Mapping[str, Any]) -> dict[str, float]:
    """Ratio of each split's rows to training rows, as far as seeds or folds vary it.

    `rows` has the size of each split.
    """
    varied = {"validation"} if is_drawn(rows, block) else set()
    if block.get("folds") or (varied and not _is_fixed(block)):
        varied.add("test")
    if block.get("folds"):
        varied.add("validation")
    # On fixed rows, runs differ in the rows held out of their training.
    held_out = sum(rows[name] for name in rows if name in varied)
    tested = {name: count if name in varied else held_out for name, count in rows.items()}
    return {name: count / rows["train"] for name, count in tested.items()}


# From a config to a variant of a plan, with the folds that it trains.

# A cache of loaded data sets, shared by the runs of a process.


def data_key(config: DatasetConfig, sha256: str) -> str:
    """The identity of a loaded data set: its digest and how it was read."""
    return f"{sha256} {_source(config)}"


def _source(config: DatasetConfig) -> str:
    return json.dumps(config.source)


class Datasets:
    """Loads data sets, by `read` if it is given, and keeps the most recently used ones."""

    def __init__(self, read: Callable[[DatasetConfig], Dataset] | None = None) -> None:
        self._read = read
        self._loaded: LruCache[Dataset] = LruCache()
        self._lock = Lock()

    def load(self, config: DatasetConfig, data: str | None = None) -> Dataset:
        """The data set that the block `dataset` of a config names.

        `data` is its `data_key`, if known, which saves computing it for each run.

        Raises: DataError if it cannot be loaded or prepared as the config says.
        """
        key = _source(config) if data is None else data.partition(" ")[2]
        with self._lock:
            known = self._loaded.get(key)
            read = self._read or read_dataset
            dataset = self._loaded.keep(key, read(config) if known is None else known)
        check_preparation(dataset, config)
        return dataset


def make_variant(
    number: int,
    file: str,
    choice: dict[str, Any],
    runs: Mapping[int | None, Prepared],
    seeds: Seeds,
) -> Variant:
    """The variant of a choice, by this number in its plan; `runs` has the first run of each fold.

    Raises: NnrunError if the parts of plugins that its config names cannot be sent to workers.
    """
    prepared = next(iter(runs.values()))
    config, dataset, metric = prepared.config, prepared.dataset, prepared.main_metric
    block, plain = config.dataset, config.dataset.model_dump(mode="json")
    rows = _mean_rows(*(run.split for run in runs.values()))
    return Variant(
        number=number,
        name=config.name,
        file=file,
        choice=choice,
        config=prepared.config_json,
        identities={fold: run.identity for fold, run in runs.items()},
        estimate=estimate(prepared),
        dataset=dataset.name,
        sha256=dataset.sha256,
        data=data_key(block, dataset.sha256),
        target=None if block.columns is None else block.columns.target,
        splits=tuple(rows),
        division=division_of(plain),
        metric=metric,
        larger_is_better=larger_is_better(metric),
        seeds=seeds.weights,
        split_seeds=(block.split.seed,) if seeds.splits is None else seeds.splits,
        published=published_of(config),
        rows=rows,
        overlap=overlap_of(rows, plain),
        drawn=is_drawn(rows, plain),
        folds=block.folds,
        split_by=split_by_of(plain),
        metrics=prepared.metrics,
        watched=prepared.watched,
        plugins=shipment(prepared.plugins),
        data_note=dataset.note or "",
    )


def folds_of(
    experiment: Experiment,
    load: Callable[[DatasetConfig], Dataset],
    cache: GridCache,
    named: Sequence[int] = (),
) -> Mapping[int | None, Prepared]:
    """The first run of each fold: of those that are named, or all, unless the config names one.

    Raises: ConfigError as `prepare` does, with the problems of all these folds.
    """
    block = experiment.config.dataset
    if not named and (block.folds is None or block.fold is not None):
        return {block.fold: prepare(experiment, load, cache=cache)}
    folds = named or range(1, (block.folds or 1) + 1)
    try:
        first = prepare(experiment, load, cache=cache)
    except MisfitError as error:
        raise ConfigError(_problems_of_folds(experiment, load, cache, folds, error)) from None
    found: dict[int | None, Prepared] = {}
    problems: list[Problem] = []
    for fold in folds:
        if fold == first.config.dataset.fold:
            found[fold] = first
            continue
        config = _in_fold(first.config, fold)
        try:
            found[fold] = prepare_again(config, first.dataset)
            check_rows(found[fold], first)
        except DatasetProblem as error:
            for path, message in error.problems:
                problems.append(experiment.problem(path, f"{message} (fold {fold})"))
    if problems:
        raise ConfigError(problems)
    return found


def _in_fold(config: ExperimentConfig, fold: int) -> ExperimentConfig:
    return Replicate(config.seed, config.dataset.split.seed, fold).applied(config)


def _problems_of_folds(
    experiment: Experiment,
    load: Callable[[DatasetConfig], Dataset],
    cache: GridCache,
    folds: Sequence[int],
    first: MisfitError,
) -> Iterator[Problem]:
    """Problems of all folds, `first` among them, each with its fold, unless all have it."""
    found: dict[int, Sequence[Problem]] = {}
    for fold in folds:
        if fold == (experiment.config.dataset.fold or folds[0]):
            found[fold] = first.problems
            continue
        other = replace(experiment, config=_in_fold(experiment.config, fold))
        try:
            prepare(other, load, cache=cache)
            found[fold] = ()
        except MisfitError as error:
            found[fold] = error.problems
    of_all = [problem for problem in first.problems if all(problem in p for p in found.values())]
    yield from of_all
    for fold, problems in found.items():
        for problem in problems:
            if problem not in of_all:
                yield replace(problem, message=f"{problem.message} (fold {fold})")


def _mean_rows(*splits: Split) -> dict[str, float]:
    """The size of each part of these splits."""
    parts = [{"train": split.train, **split.held_out} for split in splits]
    return {name: fmean(len(part[name]) for part in parts) for name in parts[0]}
