"""Loading the data set that a config names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nnrun.data.builtin.registry import DATASETS
from nnrun.data.columns.plan import CategorySettings
from nnrun.data.dataset import Dataset, DatasetProblem, Key
from nnrun.data.images.read import read_images
from nnrun.data.preprocessing.pipeline import CLASS_TARGET
from nnrun.data.readers.npz import read_npz
from nnrun.data.readers.npz_split import read_split_values
from nnrun.data.readers.opening import disk_errors, fault_of
from nnrun.data.readers.table import read_csv
from nnrun.data.settings import DatasetSettings, SourceSettings
from nnrun.suggestions import suggestion

_ELSEWHERE = "put it there or beside the config, or name another with dataset.path=FILE"


def load_dataset(config: DatasetSettings) -> Dataset:
    """The data set that a config names, raw and complete; its split and preprocessing are checked.

    Raises: DatasetProblem if keys of the config do not fit the data, DataError if a file is wrong,
    NnrunError if the disk or the network fails.
    """
    dataset = read_dataset(config)
    check_preparation(dataset, config)
    return dataset


def read_dataset(config: SourceSettings) -> Dataset:
    """The data set that a config names, without these checks; raises as above."""
    if config.name is not None:
        return _built_in(config.name, config)
    return _from_path(config) if config.images is None else read_images(config.images)


def categories_of(config: SourceSettings) -> CategorySettings:
    """The columns of categories that a config names."""
    columns = config.columns
    if columns is None:
        return CategorySettings(unknown=config.unknown)
    return CategorySettings(
        columns.categorical,
        {name: (one.dimensions, one.min_count) for name, one in columns.embedding.items()},
        columns.target_mean,
        columns.min_count,
        config.unknown,
    )


def _built_in(name: str, config: SourceSettings) -> Dataset:
    if name not in DATASETS:
        message = f"there is no data set '{name}'{suggestion(name, DATASETS)}"
        raise DatasetProblem([(("dataset", "name"), message)])
    entry = DATASETS[name]
    dataset = entry.load(**config.arguments())
    return replace(dataset, name=name, description=entry.description, note=entry.note)


def _from_path(config: SourceSettings) -> Dataset:
    path = Path(config.path or "")
    with disk_errors(path):
        fault = fault_of(path)
    if fault is not None:
        elsewhere = f"; {_ELSEWHERE}" if fault == "does not exist" else ""
        raise DatasetProblem([(("dataset", "path"), f"{path} {fault}{elsewhere}")])
    if path.suffix.lower() == ".npz":
        dataset = read_npz(path, task=config.task, channels=config.channel_axis)
        return replace(dataset, split_values=read_split_values(path, config.split, len(dataset.x)))
    if path.suffix.lower() != ".csv":
        raise DatasetProblem([(("dataset", "path"), f"{path} is neither a .csv nor a .npz file")])
    if config.columns is None:
        message = "a CSV file needs `columns: {target: …}`, the column to predict"
        raise DatasetProblem([(("dataset", "columns"), message)])
    return read_csv(
        path,
        config.columns.target,
        features=config.columns.features,
        drop=config.columns.drop,
        categories=categories_of(config),
        task=config.task,
        missing=config.missing_rule(),
        missing_by_column=config.missing_rules(),
        separator=config.separator,
        decimal=config.decimal,
        split_by=config.split.by,
        split_column=config.split.column,
        weight=config.columns.weight,
        formats=config.columns.formats,
        dates=config.dates,
        lags=config.lags,
    )


def check_preparation(dataset: Dataset, config: DatasetSettings) -> None:
    """Raise a DatasetProblem if the config has settings that do not fit the task."""
    problems: list[tuple[Key, str]] = []
    if config.task not in (None, dataset.task):
        problems.append((("dataset", "task"), f"{dataset.name} is a {dataset.task} data set"))
    if dataset.task == "classification" and config.target != "none":
        problems.append((("dataset", "target"), CLASS_TARGET.format(config.target)))
    if dataset.task == "regression" and config.stratify:
        problems.append((("dataset", "stratify"), "needs classes, but this is regression"))
    if dataset.split_values is None and config.split.by != "random":
        message = f"{dataset.name} has no column to split by; its split is random"
        problems.append((("dataset", "split"), message))
    if dataset.split_values is not None and dataset.x_test is not None:
        message = f"{dataset.name} has its own test rows, which are not split by {config.split.by}"
        problems.append((("dataset", "split"), message))
    if problems:
        raise DatasetProblem(problems)
