"""Cells of CSV text that are read many at once: the same bits and messages as cell by cell."""

from __future__ import annotations

import math
import random
import struct
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nnrun.data.readers import text_lines
from nnrun.data.readers.text_lines import CommonRows, CsvTable
from nnrun.errors import DataError
from tests.data.tables import CategorySettings, read_csv

ODD = [
    "0", "-0", "+0", "00", "007", "-007.50", "1.", ".5", "-.5", ".", "-", "+", "5e", "5e+",
    "e5", "0e99999", "1e400", "-1e400", "1e-400", "4.9e-324", "nan", "inf", "-Infinity", "NA",
    "null", "?", "1_000", "0x10", "1,5", "12kg", "١٢", "1", "--1", "+-1", "1e5.0",
    "0.00000000000000000000000000001", "9007199254740993", "9007199254740992.5",
    "18446744073709551615", "18446744073709551616", "2.2250738585072011e-308",
    "1.7976931348623157e308", "1.7976931348623159e308", "123456789012345678901234",
]  # fmt: skip


def _middle(rng: random.Random) -> str:
    """A number next to the middle between two of float64."""
    middle = Fraction(2 * (rng.getrandbits(53) | 1 << 52) + 1) * Fraction(2) ** -rng.randrange(80)
    return f"{middle.numerator * 10**22 // middle.denominator}e-22"[-24 - rng.randrange(20) :]


SPELLINGS = (
    lambda rng: repr(struct.unpack("d", rng.randbytes(8))[0]),
    lambda rng: repr(rng.gauss(0, 10.0 ** rng.randrange(-6, 7))),
    lambda rng: f"{rng.gauss(0, 1):.{rng.randrange(20)}{rng.choice('efEG')}}",
    lambda rng: str(rng.randrange(-(10 ** rng.randrange(1, 25)), 10 ** rng.randrange(1, 25))),
    lambda rng: f"{rng.choice(['', '+', '-'])}{rng.getrandbits(62)}e{rng.randrange(-345, 325)}",
    lambda rng: "".join(rng.choice("0123456789.+-eE _") for _ in range(rng.randrange(1, 9))),
    lambda rng: rng.choice(ODD),
    _middle,
)


def spelled(rng: random.Random) -> str:
    """A number in one of the ways that files have, or nearly one."""
    return rng.choice(SPELLINGS)(rng)


def same(text: str, value: float) -> bool:
    """Whether a value has the bits that Python reads in a text."""
    return struct.pack("d", float(text)) == struct.pack("d", value)


def is_plain(text: str) -> bool:
    """Whether a cell of a number may be read beside others."""
    try:
        return text.isascii() and "_" not in text and float(text) == float(text)
    except ValueError:
        return False


@pytest.mark.parametrize("seed", range(4))
def test_numbers_have_the_bits_that_python_reads(seed):
    """In all ways to write them; what is infinite or missing keeps its text."""
    rng = random.Random(seed)
    cells = [text for text in (spelled(rng) for _ in range(5_000)) if is_plain(text)]
    odd = ["", "NA", "?", "nan", "1e999"]
    cells += odd
    content = "".join(f"{cell};{cell}\n" for cell in cells).encode()
    column = CommonRows(content, [None, True], ";", ".").column(1)
    infinite = {row for row, text in enumerate(cells[: -len(odd)]) if math.isinf(float(text))}
    assert {*infinite, *range(len(cells) - len(odd), len(cells))} == {*column.odd}
    assert all(cells[row] == text for row, text in column.odd.items())
    sure = [row for row in range(len(cells)) if row not in column.odd]
    assert all(same(cells[row], column.values[row]) for row in sure)
    assert len(sure) > 3_000


@pytest.mark.parametrize(
    "cell",
    [
        "", " ", "x", "1_000", "0x10", "1,5", "1.5.", "--1", "#1", "1#2", "1 2", '\x0b1\x0c',
        '\xa01', "١٢", '1\x002', '\u20281', "nAn", "1e5_0", "infinityx", "-nan", "1d5", "1f",
        "1L", "True", "1j"
    ],
)  # fmt: skip
def test_what_is_no_plain_number_is_what_it_was(csv, monkeypatch, cell):
    """A number, missing or a mistake, as when it is read alone."""
    path = csv(f"x,word,y,when\n1,a,2,\n{cell},b,3,\n4,{cell},5,\n")
    for missing in ("error", "mean"):
        expected = by_cells(monkeypatch, path, missing=missing)
        assert expected == outcome(path, missing=missing)
    assert "there is no column" not in str(expected)


CELLS = ["a", "b c", "", "NA", " d", "e ", '"f"', '"g,h"', '"i""j"', '"k\nl"', 'm"n', "ö", "7",
         '""', '"nAn"', '"x,,y"', '" z"', '","', "nAn"]  # fmt: skip


def cell(rng: random.Random) -> str:
    """A cell of a column of texts."""
    return rng.choice(CELLS)


def table(rng: random.Random, strange: float, ends: str) -> bytes:
    """A CSV file in which this share of rows is strange."""
    lines = ["x,word,y,when"]
    for _ in range(300):
        odd = rng.random() < strange
        numbers = [spelled(rng) if odd else repr(rng.gauss(0, 1)) for _ in range(2)]
        row = [numbers[0], cell(rng) if odd else rng.choice("abc"), numbers[1], "2024-03-31"]
        lines.append(",".join(row[: rng.randrange(3, 5)] if odd and rng.random() < 0.1 else row))
        lines += [""] * (odd and rng.random() < 0.1)
    return (ends.join(lines) + rng.choice(["", ends])).encode()


def outcome(path: Path, **options: object) -> object:
    """All that reading a file gives: the bits of its arrays and its meaning, or its messages."""
    try:
        data = read_csv(
            path,
            "y",
            categories=CategorySettings(["word"]),
            drop=["when"],
            task="regression",
            **options,
        )
    except DataError as error:
        return str(error)
    arrays = [data.x.tobytes(), data.y.tobytes()]
    return data.sha256, data.feature_names, data.dropped, data.description, *arrays


def by_cells(monkeypatch, path: Path, **options: object) -> object:
    """The outcome where each cell is read by itself."""
    with monkeypatch.context() as patch:
        patch.setattr(CsvTable, "_common", lambda *_: None)
        return outcome(path, **options)


def in_blocks(monkeypatch, size: int) -> None:
    """Have files read in blocks of this many bytes."""
    monkeypatch.setattr(text_lines, "_BLOCK", size)


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("strange", [0, 0.02, 0.5])
@pytest.mark.parametrize("missing", ["error", "drop_rows", "mean"])
def test_files_mean_the_same(tmp_path, monkeypatch, ends, strange, missing, decimal):
    """Whether rows are read together or not: bits, categories, rows left out, and messages."""
    rng = random.Random(f"{ends} {strange} {missing}")
    read, column = [], CommonRows.column
    monkeypatch.setattr(CommonRows, "column", lambda *a: read.append(column(*a)) or read[-1])
    for number in range(2):
        path = tmp_path / f"{number}.csv"
        content = table(rng, strange, ends)
        if decimal == ",":
            content = content.replace(b",", b";").replace(b".", b",")
        path.write_bytes(content)
        in_blocks(monkeypatch, 1 << 20)
        expected = by_cells(monkeypatch, path, missing=missing, decimal=decimal)
        for size in (1 << 20, 3000, 64):
            in_blocks(monkeypatch, size)
            assert expected == outcome(path, missing=missing, decimal=decimal)
    assert (ends == "\r") == (not read)


@pytest.mark.parametrize(
    "content",
    [
        b"x,y\n" + b"1,2\n" * 50 + b"3,\xff\n" + b"4,5\n" * 50,
        b"x,y\n" + b"1,2\n" * 50 + b'3,"4\n' + b"4,5\n" * 50,
        b"x,y\n" + b"1,2\n" * 50 + b"3,4,5\n6\n7,8\n,\n",
        b"x,y\n" + b"1,2\n" * 50 + b"3,4" * 100_000 + b"\n5,6\n",
        b"x,y\n" + b"1,a\nb,2\nc,NA\n" * 50,
        b"\xef\xbb\xbfx,y\n1,2\n3,4",
        b"x,y\n\n\n1,2\n\n  \n3,4\n\n",
        b"x,y\n1,2\n3,4\n\x00,5\n",
        b"x,y",
    ],
)
def test_what_cannot_be_read_is_said_alike(csv, monkeypatch, content):
    """Bytes that are no text, open quotes, rows of other lengths, endless cells, blank lines."""

    def read() -> object:
        try:
            return read_csv(path, "y", task="regression").x.tobytes()
        except DataError as error:
            return str(error)

    path = csv(content)
    with monkeypatch.context() as patch:
        patch.setattr(CsvTable, "_common", lambda *_: None)
        expected = read()
    assert expected == read()
    in_blocks(monkeypatch, 100)
    assert expected == read()


def test_blocks_end_anywhere(csv, monkeypatch):
    """Lines that two blocks share are read like others."""
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((500, 3))
    lines = "\n".join(",".join(map(repr, row)) for row in numbers.tolist())
    path = csv(f"a,b,y\n{lines}\n")
    for size in (1, 7, 64, 1000, 4096):
        in_blocks(monkeypatch, size)
        data = read_csv(path, "y", task="regression")
        assert numbers.tobytes() == np.hstack([data.x, data.y]).tobytes()


def test_reading_keeps_the_numbers_of_rows_alone(csv, monkeypatch):
    """At its peak less than two and a half times the memory of x and y."""
    rows = 200_000  # many blocks
    path = csv("a,b,y\n" + "1,2,3\n" * rows)
    in_blocks(monkeypatch, 1 << 16)
    tracemalloc.start()
    try:
        read_csv(path, "y", task="regression")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * 24 * rows
