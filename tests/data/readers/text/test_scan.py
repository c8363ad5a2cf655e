"""Cells of CSV text that machine code reads: the same bits and messages as cell by cell."""

from __future__ import annotations

import random
import struct
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nnrun.data.readers.text import csv_table, text_lines
from nnrun.data.readers.text.scan.machine import Scanner
from nnrun.errors import DataError
from tests.data.tables import CategorySettings, read_csv

ODD = [
    "0",
    "-0",
    "+0",
    "00",
    "007",
    "-007.50",
    "1.",
    ".5",
    "-.5",
    ".",
    "-",
    "+",
    "5e",
    "5e+",
    "e5",
    "0e99999",
    "1e400",
    "-1e400",
    "1e-400",
    "4.9e-324",
    "nan",
    "inf",
    "-Infinity",
    "NA",
    "null",
    "?",
    "1_000",
    "0x10",
    "1,5",
    "12kg",
    "١٢",
    "1",
    "--1",
    "+-1",
    "1e5.0",
    "0.00000000000000000000000000001",
    "9007199254740993",
    "9007199254740992.5",
    "18446744073709551615",
    "18446744073709551616",
    "2.2250738585072011e-308",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "123456789012345678901234",
]


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


@pytest.mark.parametrize("seed", range(4))
def test_numbers_have_the_bits_that_python_reads(seed):
    """In all ways to write them; a number that is not certain is left to Python, as is all else."""
    rng = random.Random(seed)
    cells = [spelled(rng) for _ in range(5_000)]
    content = "".join(f"{cell};{cell}\n" for cell in cells).encode()
    at = rows = sure = 0
    scanner = Scanner([1, 1], ";", ".")
    while at < len(content):
        found = scanner.scan(content, at, len(content) - at)
        assert found.rows > 0
        left = {row: (first, last) for row, column, first, last in found.odd.tolist() if column}
        for row, (first, last) in left.items():
            assert content[at + first : at + last].decode().strip(" ") == cells[rows + row].strip(
                " "
            )
        values = found.numbers[1]
        certain = [row for row in range(found.rows) if row not in left]
        assert all(same(cells[rows + row], values[row]) for row in certain)
        at, rows, sure = at + found.size, rows + found.rows, sure + len(certain)
    assert (len(cells), True) == (rows, sure > len(cells) / 2)


@pytest.mark.parametrize("digits", range(1, 20))
def test_few_numbers_are_left_to_python(digits):
    """Of those that are written as usual at most one in a hundred."""
    rng = random.Random(digits)
    content = "".join(f"{rng.uniform(-10, 10):.{digits}g},0\n" for _ in range(2_000)).encode()
    found = Scanner([1, 0], ",", ".").scan(content, 0, len(content))
    assert (2_000, True) == (found.rows, len(found.odd) <= 20)


def cell(rng: random.Random) -> str:
    """A cell of a column of texts."""
    words = [
        "a",
        "b c",
        "",
        "NA",
        " d",
        "e ",
        '"f"',
        '"g,h"',
        '"i""j"',
        '"k\nl"',
        'm"n',
        "ö",
        "7",
        '""',
    ]
    return rng.choice(words)


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


def by_machine_code(monkeypatch, first: int, block: int, threads: int = 2) -> None:
    """Have it read all files, in blocks of this many bytes, the first one of another size."""
    monkeypatch.setattr(csv_table, "LEAST_BYTES", 0)
    monkeypatch.setattr(text_lines, "_BLOCK", first)
    monkeypatch.setattr(text_lines, "_BLOCK_AHEAD", block)
    monkeypatch.setattr(text_lines, "cores", lambda: threads)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("strange", [0, 0.02, 0.5])
@pytest.mark.parametrize("missing", ["error", "drop_rows", "mean"])
def test_files_mean_the_same(tmp_path, monkeypatch, ends, strange, missing):
    """Whether machine code reads them or not: bits, categories, rows left out, and messages."""
    rng = random.Random(f"{ends} {strange} {missing}")
    scanned = []
    scan = Scanner.scan
    monkeypatch.setattr(Scanner, "scan", lambda *a: scanned.append(scan(*a)) or scanned[-1])
    for number in range(4):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(table(rng, strange, ends))
        expected = outcome(path, missing=missing)
        by_machine_code(monkeypatch, 64, 3000, number + 1)
        assert expected == outcome(path, missing=missing)
        monkeypatch.undo()
        monkeypatch.setattr(Scanner, "scan", lambda *a: scanned.append(scan(*a)) or scanned[-1])
    assert (ends == "\r") == (not any(found.rows for found in scanned))


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
    expected = read()
    by_machine_code(monkeypatch, 1 << 20, 1 << 20)
    assert expected == read()
    by_machine_code(monkeypatch, 10, 100)
    assert expected == read()


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_end_anywhere(csv, monkeypatch, threads):
    """Lines that two blocks share are read like others, whatever the number of threads."""
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((500, 3))
    lines = "\n".join(",".join(map(repr, row)) for row in numbers.tolist())
    path = csv(f"a,b,y\n{lines}\n")
    for size in (1, 7, 64, 1000, 4096):
        by_machine_code(monkeypatch, size, 3 * size, threads)
        data = read_csv(path, "y", task="regression")
        assert numbers.tobytes() == np.hstack([data.x, data.y]).tobytes()


def test_reading_keeps_the_numbers_of_rows_alone(csv, monkeypatch):
    """At its peak less than two and a half times the memory of x and y."""
    rows = 200_000  # many times the blocks that are read ahead
    path = csv("a,b,y\n" + "1,2,3\n" * rows)
    by_machine_code(monkeypatch, 1 << 16, 1 << 16)
    read_csv(path, "y", task="regression")  # loads the machine code
    tracemalloc.start()
    try:
        read_csv(path, "y", task="regression")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * 24 * rows
