"""A table of awkward columns, in every format that pandas, polars and pyarrow write."""

from __future__ import annotations

import datetime
import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import nnrun
from tests.lab import invoke_well

ROWS = 60
TOWNS = ["Ulm", "Köln", 'say "hi", x', "日本", "NaNa"]


def columns() -> dict[str, list[Any]]:
    """Unicode names, missing numbers and texts, integers past 2⁵³, booleans, dates, decimals."""
    rng = np.random.default_rng(0)
    area, size, price = rng.normal(size=(3, ROWS)).round(4).tolist()
    return {
        "größe m²": size,
        "rooms": rng.integers(1, 9, ROWS).tolist(),
        "number": [2**53 + 1 + 2 * int(n) for n in rng.integers(2**50, size=ROWS)],
        "cost": [Decimal(int(n)) / 100 for n in rng.integers(10**6, size=ROWS)],
        "town": [TOWNS[row % 5] for row in range(ROWS)],
        "code": [[7, 8, 10][row % 3] for row in range(ROWS)],
        "garden": [row % 2 == 0 for row in range(ROWS)],
        "sold": [datetime.date(2024, 1, 1) + datetime.timedelta(row // 3) for row in range(ROWS)],
        "area": [None if row % 7 == 0 else area[row] for row in range(ROWS)],
        "kind": [None if row % 5 == 0 else "ab"[row % 2] for row in range(ROWS)],
        "price": price,
    }


DATASET = {
    "columns": {"target": "price", "categorical": ["town", "code", "garden", "kind"]},
    "missing": {"impute": "median"},
    "split": {"by": "time", "column": "sold"},
    "features": "standard",
}


def frames() -> dict[str, Any]:
    """The table in memory, by library."""
    table = columns()
    frame = pd.DataFrame(table)
    polar = pl.DataFrame(table)
    return {
        "pandas": frame.assign(
            kind=frame["kind"].astype("category"), sold=pd.to_datetime(frame["sold"])
        ),
        "pandas with its own types": frame.convert_dtypes(),
        "polars": polar.with_columns(
            pl.col("kind").cast(pl.Categorical), pl.col("town").cast(pl.Enum(TOWNS))
        ),
        "pyarrow": pa.table(table),
        "pyarrow with codes": pa.table(
            {**table, "town": pa.array(table["town"]).dictionary_encode()}
        ),
    }


def write_all(folder: Path) -> list[Path]:
    """The table in files of all formats; the first is CSV as pandas writes it."""
    frame, polar = pd.DataFrame(columns()), frames()["polars"]
    plain = frame.astype({"sold": str, "cost": float})
    names = "a.csv b.csv c.tsv d.jsonl e.ndjson f.parquet g.parquet h.csv.gz i.csv.zst j.jsonl.gz"
    paths = [folder / name for name in names.split()]
    a, b, c, d, e, f, g, h, i, j = paths
    frame.to_csv(a, index=False)
    polar.write_csv(b)
    polar.write_csv(c, separator="\t")
    polar.write_ndjson(d)
    plain.to_json(e, orient="records", lines=True, force_ascii=False, double_precision=15)
    polar.write_parquet(f)
    frame.to_parquet(g, row_group_size=7)
    h.write_bytes(gzip.compress(a.read_bytes()))
    with pa.CompressedOutputStream(str(i), "zstd") as packed:
        packed.write(a.read_bytes())
    j.write_bytes(gzip.compress(d.read_bytes()))
    return paths


# What the tests of tables share.


@pytest.fixture(scope="package")
def files(tmp_path_factory) -> list[Path]:
    """The table in files of all formats; the first is CSV as pandas writes it."""
    return write_all(tmp_path_factory.mktemp("formats"))


@pytest.fixture(scope="package")
def config() -> Callable[..., dict[str, Any]]:
    """A maker of configs for the table, with further keys of its data set."""

    def make(**dataset: Any) -> dict[str, Any]:
        return {
            "name": "houses",
            "dataset": {**DATASET, **dataset},
            "network": {"sizes": [3, 1], "activations": ["tanh", "linear"]},
            "loss": "mean_squared",
            "training": {"learning_rate": 0.01, "iterations": 20, "engine": "numpy"},
        }

    return make


@pytest.fixture(scope="package")
def expected(files, config, tmp_path_factory) -> nnrun.Run:
    """A run on the first file."""
    results = tmp_path_factory.mktemp("results")
    return nnrun.train(config(path=str(files[0])), results=results)


@pytest.fixture
def printed() -> Callable[..., str]:
    """Runs a command that succeeds, and returns what it prints."""
    return lambda *words: invoke_well(*words).out
