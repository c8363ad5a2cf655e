"""Tables read with settings that no config has validated, which the data floor checks itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.config.schema.columns import ColumnsConfig, EmbeddingConfig, Impute
from nnrun.config.schema.dataset import DatasetConfig, SplitConfig
from nnrun.data.dataset import Dataset
from nnrun.data.inference.new_rows import open_rows
from nnrun.data.layout import Layout
from nnrun.data.readers.excel import open_table
from nnrun.data.readers.table import read_table


@dataclass(frozen=True)
class CategorySettings:
    """Columns of categories; embeddings with their dimensions and `min_count`."""

    one_hot: Sequence[str] = ()
    embedding: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    target_mean: Sequence[str] = ()
    min_count: int = 1
    unknown: str = "ignore"


def read_csv(
    path: Path,
    target: str,
    *,
    separator: str | None = None,
    decimal: str = ".",
    categories: CategorySettings | None = None,
    task: str | None = None,
    missing: str = "error",
    missing_by_column: Mapping[str, str] | None = None,
    split_by: str = "random",
    split_column: str | None = None,
    dates: Mapping[str, Sequence[str]] | None = None,
    lags: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Dataset:
    """The table in a file as a data set; further arguments are keys of `columns`."""
    kinds = categories or CategorySettings()
    config = DatasetConfig.model_construct(
        path=str(path),
        columns=ColumnsConfig.model_construct(
            target=target,
            categorical=kinds.one_hot,
            embedding={
                name: EmbeddingConfig.model_construct(dimensions=length, min_count=least)
                for name, (length, least) in kinds.embedding.items()
            },
            target_mean=kinds.target_mean,
            min_count=kinds.min_count,
            missing={name: _rule(rule) for name, rule in (missing_by_column or {}).items()},
            **columns,
        ),
        task=task,
        missing=_rule(missing),
        unknown=kinds.unknown,
        split=SplitConfig.model_construct(by=split_by, column=split_column),
        dates=dates or {},
        lags=lags or {},
    )
    with open_table(path, separator, decimal) as table:
        return read_table(table, config)


def _rule(missing: str) -> str | Impute:
    alone = missing in ("error", "drop_rows")
    return missing if alone else Impute.model_construct(impute=missing)


# The features of new rows, as predictions take them.


def load_features(path: Path, layout: Layout) -> npt.NDArray[Any]:
    """All rows of a file as raw x, checked against the layout of the training data."""
    with open_rows(path, layout) as rows:
        return np.concatenate([batch.x for batch in rows.batches(4096)])
