"""Small compressed files that unpack to what no memory or no hour holds."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from nnrun.data.readers.text_lines import LONGEST_LINE
from tests.hostile.refused.refusals import REGRESSION, Case, both, text

SHEET = "xl/worksheets/sheet1.xml"
LAST = b'<c r="A3" t="n"><v>3</v></c>'


def packed(name: str, start: bytes, piece: bytes, times: int, end: bytes) -> Callable[[], object]:
    """Writes a file whose content is `start`, a piece many times, and `end`."""

    def make() -> None:
        with gzip.open(name, "wb", compresslevel=1) as file:
            file.write(start)
            for _ in range(times):
                file.write(piece)
            file.write(end)

    return make


def sheet(old: bytes, new: bytes) -> Callable[[], object]:
    """Writes a workbook with something else in its sheet."""

    def make() -> None:
        book = openpyxl.Workbook()
        for row in (["a", "y"], [1, 2], [3, 4]):
            book.active.append(row)
        book.save("sound.xlsx")
        with zipfile.ZipFile("sound.xlsx") as sound:
            contents = {one: sound.read(one) for one in sound.namelist()}
        assert old in contents[SHEET]
        contents[SHEET] = contents[SHEET].replace(old, new)
        with zipfile.ZipFile("x.xlsx", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for one, content in contents.items():
                archive.writestr(one, content)
        Path("sound.xlsx").unlink()

    return make


def lists() -> None:
    """Writes a table with a list in a cell."""
    values = pa.nulls((1 << 24) + 2, pa.int8())
    cells = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    pq.write_table(pa.table({"a": cells, "y": [1.0]}), "x.parquet")


def both_ways(name: str, file: str, make: Callable[[], object], said: str) -> Iterator[Case]:
    """A file that is checked as the data of a config, and that a config is drafted for."""
    config = text("a.yaml", REGRESSION.replace("DATA", file))
    yield Case(name, both(make, config), ("check", "a.yaml"), said)
    yield Case(f"{name}, for a draft", make, ("init", "new", "--data", file), said)


MILLION = 1 << 20
PIECES = LONGEST_LINE // MILLION + 1
LONG = f"the line has more than {LONGEST_LINE:,} bytes, and no end so far"
WIDE = f"a row of {SHEET} has more than {LONGEST_LINE:,} bytes"
CELL = b'<c r="A3" t="inlineStr"><is><t>%b</t></is></c>'
CASES = [
    *both_ways(
        "an endless cell",
        "x.csv.gz",
        packed("x.csv.gz", b"a,y\n1,", b"1" * MILLION, PIECES, b"\n"),
        f"x.csv.gz:2: {LONG}",
    ),
    *both_ways(
        "an endless value",
        "x.jsonl.gz",
        packed("x.jsonl.gz", b'{"a": "', b"1" * MILLION, PIECES, b'", "y": 1}\n'),
        f"x.jsonl.gz:1: {LONG}",
    ),
    *both_ways(
        "endless blank lines",
        "x.csv.gz",
        packed("x.csv.gz", b"a,y\n1,2\n", b"\n" * MILLION, 2, b"3,4\n"),
        "more than 1,048,576 lines are blank",
    ),
    *both_ways(
        "a cell of a sheet",
        "x.xlsx",
        sheet(LAST, CELL % (b"1" * (LONGEST_LINE + 3 * MILLION))),
        f"x.xlsx: {WIDE}",
    ),
    *both_ways(
        "a cell of a sheet that looks like rows",
        "x.xlsx",
        sheet(LAST, CELL % (b"<![CDATA[" + b"<row " * (LONGEST_LINE // 4) + b"]]>")),
        f"x.xlsx: {WIDE}",
    ),
    *both_ways(
        "a row with a far number",
        "x.xlsx",
        sheet(b'r="3"', b'r="3000000000"'),
        "x.xlsx: has more than 1,048,576 rows, as no sheet has",
    ),
    *both_ways(
        "a list in a cell",
        "x.parquet",
        lists,
        "x.parquet: column 'a' has lists with more than 16,777,216 values in all",
    ),
]
