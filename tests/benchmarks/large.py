"""S7: one epoch over a million rows, as whole processes: seconds and peak memory.

The array is 80 MB in float32, with the targets 84 MB. Readers of CSV files read the same file, and
no more: nnrun's, those of pandas, polars and pyarrow.
`python -m tests.benchmarks.large 100000` takes another number of rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import numpy as np

from tests.benchmarks.folders import Taken, in_temporary_folder, nnrun
from tests.benchmarks.tables import grid

ID = "S7"
ROWS, COLUMNS = 1_000_000, 20
_CONFIG = """\
dataset: {{{source}, features: standard, target: standard}}
network: {{sizes: [32, 1], activations: [relu, linear]}}
loss: mean_squared
training: {{learning_rate: 0.01, epochs: 1, batch_size: 256, dtype: float32}}
"""
_CSV = "path: rows.csv, columns: {target: y}, task: regression"
SOURCES = {
    "npz, float32": "path: single.npz",
    "npz, float64": "path: double.npz",
    "npz, float32, compressed": "path: compressed.npz",
    "CSV": _CSV,
}
READERS = {
    "nnrun": "from nnrun.config.schema.dataset import DatasetConfig; "
    "from nnrun.data.splits import load_dataset; "
    "load_dataset(DatasetConfig(path='rows.csv', columns={'target': 'y'}, task='regression'))",
    "pandas": "import pandas; pandas.read_csv('rows.csv')",
    "polars": "import polars; polars.read_csv('rows.csv')",
    "pyarrow": "import pyarrow.csv; pyarrow.csv.read_csv('rows.csv')",
}
_PEAK = (
    "; import resource as r, sys; u = r.getrusage(r.RUSAGE_SELF); "
    "print(u.ru_utime + u.ru_stime, u.ru_maxrss)"
)


def table(rounds: int, rows: int = ROWS) -> str:
    """A Markdown table of wall seconds, CPU seconds and peak megabytes, the least of each."""
    found: dict[str, list[Taken]] = {}
    with in_temporary_folder():
        write(rows)
        for turn in range(rounds + 1):  # the first may compile
            for title, taken in measured(turn):
                found.setdefault(title, []).append(taken)
    lines = [
        [title, *(f"{min(numbers):.1f}" for numbers in zip(*taken[1:], strict=True))]
        for title, taken in found.items()
    ]
    title = f"{ID}: one epoch over {rows:,} rows × {COLUMNS} columns, 32 relu → 1, batches of 256"
    return "\n".join([title, "", *grid(["", "seconds", "CPU seconds", "peak MB"], lines)])


def write(rows: int) -> None:
    """The files, with the same numbers in all of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, COLUMNS))
    y = np.sin(x @ rng.normal(size=COLUMNS) / 3) + rng.normal(size=rows) / 10
    single = {"x": x.astype(np.float32), "y": y.astype(np.float32)}
    np.savez("single.npz", **single)
    np.savez("double.npz", x=x, y=y)
    np.savez_compressed("compressed.npz", **single)
    header = ",".join([*(f"x{i}" for i in range(COLUMNS)), "y"])
    table = np.column_stack([x, y])
    np.savetxt("rows.csv", table, "%.8g", delimiter=",", header=header, comments="")


def measured(turn: int) -> Iterator[tuple[str, Taken]]:
    """What each contestant takes, in turn."""
    for title, source in SOURCES.items():
        Path("large.yaml").write_text(_CONFIG.format(source=source))
        yield f"nnrun train, {title}", nnrun("train", "large.yaml", "--results", f"{title} {turn}")
    for title, code in READERS.items():
        start = time.perf_counter()
        words = [sys.executable, "-c", code + _PEAK]
        said = run(words, check=True, capture_output=True, text=True).stdout
        cpu, memory = map(float, said.split())
        yield f"{title}, CSV read alone", Taken(time.perf_counter() - start, cpu, memory / 1000)


if __name__ == "__main__":
    print(table(1, int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
