"""From a prepared config to a variant of a plan, with the folds that it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

from nnrun.config.load import Experiment
from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.splits.parts import Split
from nnrun.errors import ConfigError, Problem
from nnrun.metrics.table import larger_is_better
from nnrun.plugins.loading import shipment
from nnrun.runs.preparation.config_cache import ConfigCache, GridCache
from nnrun.runs.preparation.prepare import MisfitError, check_rows, prepare, prepare_again
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.record import published_of
from nnrun.runs.replicate import Replicate
from nnrun.sweeps.planning.datasets import data_key
from nnrun.sweeps.planning.estimate import estimate
from nnrun.sweeps.planning.grid.combinations import GridPoint
from nnrun.sweeps.planning.overlap import division_of, is_drawn, overlap_of, split_by_of
from nnrun.sweeps.planning.plan import Variant
from nnrun.sweeps.planning.seeds import Seeds


def make_variant(
    number: int,
    file: str,
    choice: GridPoint,
    runs: Mapping[int | None, Prepared],
    seeds: Seeds,
) -> Variant:
    """The variant of a grid point, by this number in its plan; `runs` has the first run of each
    fold.
    """
    prepared = next(iter(runs.values()))
    return Variant(
        number=number,
        choice=choice.choice,
        config=prepared.config_json,
        identities={fold: run.identity for fold, run in runs.items()},
        estimate=estimate(prepared),
        **shared_fields(file, runs, seeds),
    )


def shared_fields(
    file: str, runs: Mapping[int | None, Prepared], seeds: Seeds
) -> Mapping[str, Any]:
    """The values of a variant's other fields: the same object for settings that share them."""
    prepared = next(iter(runs.values()))
    config, dataset = prepared.config, prepared.dataset
    block, memo, metric = config.dataset, prepared.cache.memo, prepared.main_metric
    rows = memo.of(_mean_rows, *(run.split for run in runs.values()))

    def make() -> dict[str, Any]:
        plain = block.model_dump(mode="json")
        return {
            "name": config.name,
            "file": file,
            "dataset": dataset.name,
            "sha256": dataset.sha256,
            "data": data_key(block, dataset.sha256),
            "target": None if block.columns is None else block.columns.target,
            "splits": tuple(rows),
            "division": division_of(plain),
            "metric": metric,
            "larger_is_better": larger_is_better(metric),
            "seeds": seeds.weights,
            "published": published_of(config),
            "rows": rows,
            "overlap": overlap_of(rows, plain),
            "split_seeds": (block.split.seed,) if seeds.splits is None else seeds.splits,
            "drawn": is_drawn(rows, plain),
            "folds": block.folds,
            "split_by": split_by_of(plain),
            "metrics": prepared.metrics,
            "watched": prepared.watched,
            "plugins": shipment(prepared.plugins),
            "data_note": dataset.note or "",
        }

    values = (config.name, file, metric, *rows.items(), prepared.watched, *prepared.metrics)
    objects = (block, dataset, seeds, config.published, *prepared.plugins)
    return memo.get(("shared", *values), objects, make)


def folds_of(
    experiment: Experiment, load: Callable[[DatasetConfig], Dataset], cache: GridCache
) -> Mapping[int | None, Prepared]:
    """The first run of each fold: of all folds, unless the config names one.

    Raises: ConfigError as `prepare` does, with the problems of all these folds.
    """
    block = experiment.config.dataset
    if block.folds is None or block.fold is not None:
        return {block.fold: prepare(experiment, load, cache=cache)}
    try:
        first = prepare(experiment, load, cache=cache)
    except MisfitError as error:
        raise ConfigError(_problems_of_folds(experiment, load, cache, error)) from None
    found: dict[int | None, Prepared] = {1: first}
    problems: list[Problem] = []
    for fold in range(2, block.folds + 1):
        config = _in_fold(first.config, fold)
        try:
            found[fold] = prepare_again(config, first.dataset, ConfigCache(memo=cache.memo))
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
    first: MisfitError,
) -> Iterator[Problem]:
    """Those of all folds, `first` with the first one's: each with its fold, unless all have it."""
    found = {1: first.problems}
    for fold in range(2, (experiment.config.dataset.folds or 1) + 1):
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
