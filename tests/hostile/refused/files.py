"""Files of data that are refused: CSV, archives, IDX, images, and paths of them."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from nnrun.data.readers.text_lines import LONGEST_LINE
from tests.hostile.refused.refusals import (
    CONFIG,
    REGRESSION,
    Case,
    X,
    both,
    csv,
    described,
    link,
    npy,
    npz,
    path,
    text,
)

# Tables of data that are none: CSV files, npz archives, and IDX files.

ROWS = "1,2\n2,3\n3,5\n4,1\n" * 3
TRUE = npy(described("'<f8'", "(True, 60)"), bytes(480))
LABELS = npy(described("'<U1'", "(4,)"), b"\0\0\x11\0" + b"a\0\0\0" * 3)
SURROGATES = npy(described("'<U1'", "(4,)"), b"a\0\0\0" * 2 + b"\0\xd8\0\0" * 2)
BIG_ENDIAN = npy(described("'>U1'", "(4,)"), b"\0\0\0a" * 3 + b"\0\0\xdf\xff")
FOUR = bytes(32)


def sized(descr: str, shape: str, content: bytes = b"") -> bytes:
    """An array of this type and shape."""
    return npy(described(descr, shape), content)


def idx(name: str, said: str, images: bytes, labels: bytes | None = None) -> Case:
    """MNIST's four files, with these for training."""

    def make() -> None:
        Path("a.yaml").write_text(CONFIG.replace("iris}", "mnist, path: m}"))
        Path("m").mkdir()
        sound = (
            struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(8),
            struct.pack(">II", 0x801, 2) + bytes(2),
        )
        given = {"train": (images, sound[1] if labels is None else labels), "t10k": sound}
        for part, (x, y) in given.items():
            Path(f"m/{part}-images-idx3-ubyte").write_bytes(x)
            Path(f"m/{part}-labels-idx1-ubyte").write_bytes(y)

    return Case(name, make, ("check", "a.yaml"), said)


def labels(name: str, content: str, said: str) -> Case:
    """A CSV file with classes in `y`."""
    table = text("x.csv", content)
    block = "{path: x.csv, columns: {target: y}, task: classification}"
    config = text("a.yaml", CONFIG.replace("{name: iris}", block))
    return Case(name, both(table, config), ("check", "a.yaml"), said)


def means(name: str, row: str, said: str) -> Case:
    """A file of means to hold ours against."""
    table = text("means.csv", f"experiment,metric,mean,sd,n,source\n{row}\n")
    words = ("sweep", "a.yaml", "--replication", "--reference", "means.csv")
    return Case(name, both(table, text("a.yaml", CONFIG)), words, said)


def times(name: str, cell: str, said: str) -> Case:
    """A table that is split by the times in a column, of which this is one."""
    split = "split: {by: time, column: t}, columns"
    table = text("x.csv", f"t,a,y\n1,1,1\n{cell},2,2\n3,3,3\n")
    made = text("a.yaml", REGRESSION.replace("DATA", "x.csv").replace("columns", split))
    return Case(name, both(table, made), ("check", "a.yaml"), said)


TABLES = [
    # Headers of CSV files
    csv("NUL in the header", "a,b\0,y\n1,2,3\n", "x.csv:1: the name of column 2 has a NUL"),
    csv("an empty table", "", "x.csv:1: the header row with the column names is missing"),
    csv("a blank header", "\n1,2\n", "x.csv:1: the header row with the column names is blank"),
    csv("only a header", "a,y\n", "x.csv: there are no rows below the header"),
    csv("only blank rows", "a,y\n\n\n\n", "x.csv: there are no rows below the header"),
    csv("numbers as a header", "1,2\n3,4\n", "x.csv:1: the first line holds numbers"),
    csv("a column without a name", "a,,y\n1,2,3\n", "x.csv:1: column 2 has no name"),
    csv("a name of blanks", "a,  ,y\n1,2,3\n", "x.csv:1: column 2 has no name"),
    csv("two of a name", "a,a,y\n1,2,3\n", "x.csv:1:a: 2 columns have this name"),
    csv("two targets", "y,y\n1,2\n", "x.csv:1:y: 2 columns have this name"),
    csv("no target", "a,b\n1,2\n", "there is no column 'y'"),
    csv("a target of another case", "a,Y\n1,2\n", "did you mean 'Y'?"),
    csv("only a target", "y\n1\n2\n", "no features are left beside the target"),
    # Cells
    csv("a short row", "a,y\n1\n" + ROWS, "x.csv:2: has 1 cell where the header has 2"),
    csv("a long row", "a,y\n1,2,3\n" + ROWS, "x.csv:2: has 3 cells where the header has 2"),
    csv("text", "a,y\nx,2\n" + ROWS, "x.csv:2:a: 'x' is not a number"),
    csv("a blank cell", "a,y\n,2\n" + ROWS, "x.csv:2:a: the cell is blank"),
    csv("NUL in a cell", "a,y\n\0,2\n" + ROWS, "x.csv:2:a: '\\x00' is not a number"),
    csv("a formula", "a,y\n=1+1,2\n" + ROWS, "x.csv:2:a: '=1+1' is not a number"),
    csv("no number", "a,y\nnan,2\n" + ROWS, "'nan' stands for a missing value"),
    csv("infinity", "a,y\ninf,2\n" + ROWS, "x.csv:2:a: 'inf' is not a finite number"),
    labels("labels of 400 digits", f"a,y\n1,{'9' * 400}\n" + ROWS, "is not a finite number"),
    Case(
        "a column of 400 digits for a config",
        text("x.csv", f"a,y\n1,{'9' * 400}\n2,1\n"),
        ("init", "mine", "--data", "x.csv"),
        "x.csv: no column is left to predict 'a' from; left out: y (numbers",
    ),
    means("a mean of text", "a,test_mse,x,1,5,me", "means.csv:2: mean and sd must be finite"),
    means("a spread of nothing", "a,test_mse,1", "means.csv:2: mean and sd must be finite"),
    means("runs of 400 digits", f"a,test_mse,1,1,{'9' * 400},me", "means.csv:2: mean and sd must"),
    csv("too large a number", "a,y\n1e999,2\n" + ROWS, "x.csv:2:a: '1e999' is not a finite number"),
    csv("a number with underscores", "a,y\n1_000,2\n" + ROWS, "x.csv:2:a: '1_000' is not a number"),
    csv(
        "a number with commas", 'a,y\n"1,000",2\n' + ROWS, "it may be 1 or 1000; `columns: {formats"
    ),
    csv("a hexadecimal number", "a,y\n0x10,2\n" + ROWS, "x.csv:2:a: '0x10' is not a number"),
    csv("a complex number", "a,y\n1j,2\n" + ROWS, "x.csv:2:a: '1j' is a complex number"),
    csv("a truth", "a,y\nTrue,2\n" + ROWS, "x.csv:2:a: 'True' is not a number"),
    csv("a date", "a,y\n2020-01-01,2\n" + ROWS, "x.csv:2:a: '2020-01-01' is not a number"),
    csv("a target of text", "a,y\n1,x\n" + ROWS, "x.csv:2:y: 'x' is not a number"),
    csv("ESC in a cell", "a,y\n\x1b[31m,2\n" + ROWS, "x.csv:2:a: '\\x1b[31m' is not a number"),
    csv(
        "an open quote",
        'a,y\n"1,2\n' + ROWS,
        "x.csv:2: is no CSV from here on: unexpected end of data; a quote that begins a cell of",
    ),
    csv(
        "text after a quote",
        'a,y\n"1"x,2\n' + ROWS,
        "expected after '\"'; a quote in a cell with quotes around it is written twice",
    ),
    csv(
        "a cell of megabytes", f"a,y\n{'1' * 200_000},2\n" + ROWS, "x.csv:2: is no CSV from here on"
    ),
    csv("one row", "a,y\n1,2\n", "of 1 rows and leaves none to train on"),
    # Times to split by
    times("a time of 5,000 digits", "9" * 5000, "x.csv:3:t: '999"),
    times("a time in other digits", "２０２４-01-01", "' is not a time; write ISO dates such as"),
    times("ESC in a time", "\x1b[31m", "x.csv:3:t: '\\x1b[31m' is not a time"),
    times("a time that is a formula", "=1+1", "x.csv:3:t: '=1+1' is not a time"),
    times("a time before all", "0000-01-01", "x.csv:3:t: '0000-01-01' is not a time"),
    # Encodings
    csv("Latin-1", "a,ü,y\n1,2,3\n".encode("latin-1"), "x.csv:1: is not UTF-8 text: byte 0xfc"),
    csv("Latin-1 below", b"a,y\n1,2\n\xe9,3\n", "x.csv:3: is not UTF-8 text: byte 0xe9"),
    csv("UTF-16", "a,y\n1,2\n".encode("utf-16"), "x.csv:1: is not UTF-8 text: byte 0xff"),
    csv("UTF-16 without a mark", "a,y\n1,2\n".encode("utf-16-le"), "has a NUL (U+0000) in it"),
    csv("a surrogate", b"a,y\n\xed\xa0\x80,2\n", "x.csv:2: is not UTF-8 text: byte 0xed"),
    csv("a picture", b"\x89PNG\r\n\x1a\n" + bytes(100), "x.csv:1: is not UTF-8 text: byte 0x89"),
    csv("zeros", bytes(1000), "the name of column 1 has a NUL (U+0000) in it"),
    csv("a zip file", b"PK\x03\x04" + bytes(100), "has a NUL (U+0000) in it"),
    csv("a gzip file", gzip.compress(b"a,y\n1,2\n"), "x.csv:1: is not UTF-8 text: byte 0x8b"),
    csv("JSON", '{"a": 1}', "there is no column 'y'"),
    csv("HTML", "<html><body>log in</body></html>", "there is no column 'y'"),
    # Headers of arrays
    npz("true in a shape", "an array cannot have the shape (True, 60)", x=TRUE),
    npz(
        "a negative shape",
        "an array cannot have the shape (-4, -1)",
        x=sized("'<f8'", "(-4, -1)", FOUR),
    ),
    npz(
        "a shape of billions",
        "says it has shape (1000000000, 1000)",
        x=sized("'<f8'", "(1000000000, 1000)", FOUR),
    ),
    npz(
        "a shape beyond 64 bits",
        f"says it has shape ({2**70}, 1)",
        x=sized("'<f8'", f"({2**70}, 1)", FOUR),
    ),
    npz("a shape of a fraction", "is damaged or no npz file", x=sized("'<f8'", "(4.0, 1)", FOUR)),
    npz("a shape of text", "is damaged or no npz file", x=sized("'<f8'", "('4', 1)", FOUR)),
    npz("a list as a shape", "is damaged or no npz file", x=sized("'<f8'", "[4, 1]", FOUR)),
    npz(
        "a call in a shape",
        "is damaged or no npz file",
        x=sized("'<f8'", "__import__('os').system('id')", FOUR),
    ),
    npz(
        "a call as a type",
        "is damaged or no npz file",
        x=sized("__import__('os').system('id')", "(4, 1)", FOUR),
    ),
    npz("100 dimensions", "is damaged or no npz file", x=sized("'<f8'", f"({'1, ' * 90}4)", FOUR)),
    npz("brackets", "a header is no array's", x=npy("[" * 5000)),
    npz("parentheses", "a header is no array's", x=npy("(" * 9000 + ")" * 900)),
    npz("minus signs", "a header is no array's", x=npy("-" * 9000 + "1")),
    npz("tildes", "a header is no array's", x=npy("~" * 9000 + "1")),
    npz("a header of megabytes", "a header is no array's", x=npy(" " * 2**21, version=b"\x02\x00")),
    npz("an open bracket", "a header is no array's", x=npy("{'descr': '<f8', 'shape': (")),
    npz("an open quote", "is damaged or no npz file", x=npy("{'descr': '<f8")),
    npz("no header", "is damaged or no npz file", x=npy("")),
    npz("an empty mapping", "is damaged or no npz file", x=npy("{}")),
    npz("a key too few", "is damaged or no npz file", x=npy("{'descr': '<f8', 'shape': (4, 1)}")),
    npz(
        "a key too many",
        "is damaged or no npz file",
        x=npy(described("'<f8'", "(4, 1)")[:-1] + "'a': 1}", FOUR),
    ),
    npz(
        "an odd order",
        "is damaged or no npz file",
        x=npy(described("'<f8'", "(4, 1)", "'yes'"), FOUR),
    ),
    npz(
        "another version",
        "is damaged or no npz file",
        x=npy(described("'<f8'", "(4, 1)"), FOUR, b"\x09\x00"),
    ),
    npz("no magic", "is damaged or no npz file", x=b"hello"),
    npz("nothing", "is damaged or no npz file", x=b""),
    npz("half a header", "is damaged or no npz file", x=npy(described("'<f8'", "(4, 1)"))[:20]),
    npz("bytes too few", "(4, 1), 32 bytes, and has 31", x=sized("'<f8'", "(4, 1)", FOUR[1:])),
    npz("bytes too many", "(4, 1), 32 bytes, and has 33", x=sized("'<f8'", "(4, 1)", FOUR + b"\0")),
    npz("a header of bytes", "is damaged or no npz file", x=npy("\xff\xfe")),
    # Types of arrays
    npz(
        "objects",
        "holds Python objects, which would have to be unpickled",
        x=sized("'|O'", "(4, 1)", b"cos\nsystem\n"),
    ),
    npz(
        "a pickle as y",
        "holds Python objects, which would have to be unpickled",
        y=sized("'|O'", "(4,)", b"cos\nsystem\n"),
    ),
    npz(
        "objects in a structure",
        "holds Python objects",
        x=sized("[('a', '<f8'), ('b', '|O')]", "(4, 1)"),
    ),
    npz("a structure", "not real numbers", x=sized("[('a', '<f8')]", "(4, 1)", FOUR)),
    npz(
        "arrays in arrays", "is damaged or no npz file", x=sized("('<f8', (2, 2))", "(1, 1)", FOUR)
    ),
    npz("text", "x.npz: x: holds <U1, not real numbers", x=sized("'<U1'", "(4, 1)", bytes(16))),
    npz("bytes", "x.npz: x: holds |S1, not real numbers", x=sized("'|S1'", "(4, 1)", bytes(4))),
    npz("dates", "x: holds datetime64[ns], not real numbers", x=sized("'<M8[ns]'", "(4, 1)", FOUR)),
    npz(
        "durations",
        "x: holds timedelta64[ns], not real numbers",
        x=sized("'<m8[ns]'", "(4, 1)", FOUR),
    ),
    npz(
        "complex numbers",
        "x: holds complex128, not real numbers",
        x=sized("'<c16'", "(4, 1)", FOUR * 2),
    ),
    npz("void", "x: holds |V8, not real numbers", x=sized("'|V8'", "(4, 1)", FOUR)),
    npz("void of no size", "not real numbers", x=sized("'|V0'", "(4, 1)")),
    npz("text of no size", "not real numbers", x=sized("'<U0'", "(4, 1)")),
    npz("a type of nonsense", "is damaged or no npz file", x=sized("'nonsense'", "(4, 1)", FOUR)),
    npz(
        "y of dates",
        "y: holds datetime64[ns], not numbers to predict",
        y=sized("'<M8[ns]'", "(4,)", FOUR),
    ),
    # What arrays hold
    npz("labels beyond Unicode", "x.npz: y[0]: U+110000 is no character", y=LABELS),
    npz("labels of surrogates", "x.npz: y[2]: U+D800 is no character", y=SURROGATES),
    npz("labels with the high byte first", "x.npz: y[3]: U+DFFF is no character", y=BIG_ENDIAN),
    npz("blank labels", "y: a label is blank", y=sized("'<U1'", "(4,)", b"a\0\0\0" * 2 + bytes(8))),
    npz("one label", "y has one class only", y=sized("'<i8'", "(4,)", FOUR)),
    npz(
        "no number",
        "x[0, 0]: nan is not a finite number",
        x=sized("'<f8'", "(4, 1)", struct.pack("<4d", *[float("nan")] * 4)),
    ),
    npz(
        "an infinity",
        "x[3, 0]: inf is not a finite number",
        x=sized("'<f8'", "(4, 1)", struct.pack("<4d", 0, 0, 0, float("inf"))),
    ),
    npz(
        "an infinite y",
        "y[0, 0]: inf is not a finite number",
        y=sized("'<f8'", "(4,)", struct.pack("<4d", float("inf"), 0, 0, 0)),
    ),
    npz("rows too few", "x has 3 rows, y has 4", x=sized("'<f8'", "(3, 1)", FOUR[:24])),
    npz("no rows", "x: has shape (0, 1)", x=sized("'<f8'", "(0, 1)")),
    npz("no columns", "x: has shape (4, 0)", x=sized("'<f8'", "(4, 0)")),
    npz("one number", "x: has shape ()", x=sized("'<f8'", "()", FOUR[:8])),
    npz("one dimension", "x: has shape (4,)", x=sized("'<f8'", "(4,)", FOUR)),
    npz(
        "five dimensions", "x: has shape (4, 1, 1, 1, 1)", x=sized("'<f8'", "(4, 1, 1, 1, 1)", FOUR)
    ),
    npz("a test split without y", "has no array y_test", x_test=sized("'<f8'", "(4, 1)", FOUR)),
    npz(
        "a test split of another shape",
        "where x's are (1,)",
        x_test=sized("'<f8'", "(4, 2)", FOUR * 2),
        y_test=sized("'<f8'", "(4,)", FOUR),
    ),
    npz("x twice", "has both x and x_train", x_train=sized("'<f8'", "(4, 1)", FOUR)),
    # IDX files
    idx("nothing", "starts with 0x; an IDX file of images starts with", b""),
    idx("three bytes", "starts with 0x000008", b"\0\0\x08"),
    idx("text", "starts with 0x68656c6c", b"hello world"),
    idx(
        "floats",
        "starts with 0x00000d03; an IDX file of images starts with 0x00000803",
        struct.pack(">IIII", 0xD03, 1, 1, 1) + bytes(4),
    ),
    idx(
        "two dimensions",
        "starts with 0x00000802; an IDX file",
        struct.pack(">III", 0x802, 1, 1) + bytes(1),
    ),
    idx("255 dimensions", "starts with 0x000008ff", b"\0\0\x08\xff" + bytes(1020)),
    idx("half a header", "ends within its header", struct.pack(">III", 0x803, 1, 1)),
    idx("no images", "is empty: its shape is (0, 28, 28)", struct.pack(">IIII", 0x803, 0, 28, 28)),
    idx(
        "bytes too few",
        "says it has shape (2, 2, 2), 8 bytes, and has only 7",
        struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(7),
    ),
    idx(
        "bytes too many",
        "says it has shape (2, 2, 2), 8 bytes, and has more",
        struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(9),
    ),
    idx(
        "4 billion images",
        "GB of memory",
        struct.pack(">IIII", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    ),
    idx(
        "a cut gzip file",
        "is a damaged gzip file",
        gzip.compress(struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(8))[:-9],
    ),
    idx("a wrong gzip file", "is a damaged gzip file", b"\x1f\x8bhello world, this is no gzip"),
    idx(
        "a packed flood",
        "and has more",
        gzip.compress(struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(10**7)),
    ),
    idx(
        "labels too few",
        "has 1 labels for 2 images",
        struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(8),
        struct.pack(">II", 0x801, 1) + bytes(1),
    ),
    idx(
        "labels too large",
        "label 1 is 255; there are 10 classes",
        struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(8),
        struct.pack(">II", 0x801, 2) + b"\0\xff",
    ),
    idx(
        "other sides",
        "where the training images have (3, 3)",
        struct.pack(">IIII", 0x803, 2, 3, 3) + bytes(18),
    ),
]


# Small compressed files that unpack to what no memory or no hour holds.

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
COMPRESSED = [
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


# Folders of images with what is none, and images that are too large or broken.

CATS = """dataset: {images: {folder: cats}}
network: {sizes: [2], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 1}
"""
SOUND = b"P5 2 2 255\n" + bytes(4)


def images(name: str, said: str, make: Callable[[], object] = lambda: None) -> Case:
    """A folder with two classes of one image each, and with more."""

    def sound() -> None:
        for place in ("cats/a/1.pgm", "cats/b/1.pgm"):
            Path(place).parent.mkdir(parents=True)
            Path(place).write_bytes(SOUND)

    return Case(name, both(sound, both(text("a.yaml", CATS), make)), ("check", "a.yaml"), said)


def file(content: bytes) -> Callable[[], object]:
    """Puts one more image into the first class."""
    return lambda: Path("cats/a/2.pgm").write_bytes(content)


def deep() -> None:
    """Folders within folders, 900 of them."""
    Path("cats/a/" + "d/" * 900).mkdir(parents=True)
    Path("cats/a/1.pgm").unlink()


IMAGES = [
    images("a FIFO as an image", "2.pgm: is a FIFO", lambda: os.mkfifo("cats/a/2.pgm")),
    images("zeros as an image", "is a link out of", link("cats/a/2.pgm", "/dev/zero")),
    images("a link elsewhere", "is a link out of", link("cats/a/2.pgm", "../../a.yaml")),
    images("a loop of images", "leads to itself", link("cats/a/2.pgm", "2.pgm")),
    images("a link to no image", "is a link to nothing", link("cats/a/2.pgm", "3.pgm")),
    images("a loop of folders", "is a link to a folder", link("cats/a/d", "../..")),
    images("folders in folders", "a: has no images", deep),
    images("an image of many pixels", "has 9,999×9,999 pixels", file(b"P5 9999 9999 255\n")),
    images("an image of more pixels", "exceeds limit of", file(b"P5 99999 99999 255\n")),
    images("an image of no pixels", "cannot be read", file(b"P5 0 0 255\n")),
    images("an image that ends early", "cannot be read", file(SOUND[:-1])),
    images("a script as an image", "cannot be read", file(b"%!PS-Adobe-3.0 EPSF-3.0\n(x) run\n")),
    images("sizes that differ", "has 1×1 pixels, and", file(b"P5 1 1 255\n\0")),
    Case("no folder", text("a.yaml", CATS), ("check", "a.yaml"), "cats does not exist"),
    Case(
        "a file as a folder",
        text("a.yaml", CATS.replace("cats", "a.yaml")),
        ("check", "a.yaml"),
        "a.yaml is a file, not a folder",
    ),
    Case(
        "a name that is none",
        text("a.yaml", CATS.replace("cats", '"a\\0b"')),
        ("check", "a.yaml"),
        "this is not the path of a folder",
    ),
]


# Paths that lead to no file: they are said to be what they are.

LONG_NAME = "a" * 5000


RESULTS = [
    *(("train", "a.yaml"), ("sweep", "a.yaml"), ("search", "a.yaml"), ("ls",), ("show", "r")),
    *(("report",), ("compare", "r", "s"), ("best", "r"), ("verify",), ("predict", "r", "a.csv")),
    *(("pack", "r", "-o", "r.zip"), ("export", "r", "-o", "r.py"), ("explain", "r"), ("ui",)),
]


def before(name: str, content: bytes) -> None:
    """An archive after something else, as a page of HTML."""
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("x.npy", content)
    Path(name).write_bytes(b"<html>" + Path(name).read_bytes())


PATHS = [
    path(
        "an npz after other bytes",
        "b.npz",
        "b.npz: has 6 bytes before its zip archive; save it anew",
        lambda: before("b.npz", X),
    ),
    path(
        "a workbook after other bytes",
        "b.xlsx",
        "b.xlsx: has 6 bytes before its zip archive; save it anew",
        lambda: before("b.xlsx", X),
    ),
    Case(
        "a packed run after other bytes",
        lambda: before("b.zip", X),
        ("show", "b.zip"),
        "b.zip: has 6 bytes before its zip archive; save it anew",
    ),
    path("a FIFO as a csv", "f.csv", "f.csv is a FIFO, not a file", lambda: os.mkfifo("f.csv")),
    path("a FIFO as an npz", "f.npz", "f.npz is a FIFO, not a file", lambda: os.mkfifo("f.npz")),
    path("zeros without end", "z.csv", "z.csv is a device, not a file", link("z.csv", "/dev/zero")),
    path("zeros in an npz", "z.npz", "z.npz is a device, not a file", link("z.npz", "/dev/zero")),
    path("null", "n.csv", "n.csv is a device, not a file", link("n.csv", "/dev/null")),
    path("random", "r.csv", "r.csv is a device, not a file", link("r.csv", "/dev/urandom")),
    path("a loop", "l.csv", "l.csv is a link that leads to itself", link("l.csv", "l.csv")),
    path("a loop as an npz", "l.npz", "is a link that leads to itself", link("l.npz", "l.npz")),
    path("a link to nothing", "d.csv", "d.csv is a link to nothing", link("d.csv", "no.csv")),
    path("a folder", "d.csv", "d.csv is a folder, not a file", lambda: os.mkdir("d.csv")),
    path("a folder as an npz", "d.npz", "is a folder, not a file", lambda: os.mkdir("d.npz")),
    path("nothing", "no.csv", "no.csv does not exist"),
    path("in a file", "a.yaml/x.csv", "a.yaml/x.csv does not exist"),
    path("a long name", LONG_NAME + ".csv", ".csv does not exist: the name is too long"),
    path("a long path", "a/" * 3000 + "x.npz", "x.npz does not exist: the name is too long"),
    path("up and away", "../" * 50 + "no/x.csv", "/no/x.csv does not exist"),
    path("another ending", "x.pkl", "is no .csv, .tsv, .jsonl, .parquet, .xlsx or .npz file"),
    path("no ending", "x", "is no .csv, .tsv, .jsonl, .parquet, .xlsx or .npz file"),
    path("an empty name", "", "this is not the path of a file"),
    Case(
        "mnist in a long folder",
        text("a.yaml", CONFIG.replace("iris}", f"mnist, path: {LONG_NAME}}}")),
        ("check", "a.yaml"),
        "does not exist: the name is too long; expected the folder with the IDX files",
    ),
    Case(
        "mnist in a file",
        text("a.yaml", CONFIG.replace("iris}", "mnist, path: a.yaml}")),
        ("check", "a.yaml"),
        "a.yaml is a file, not a folder; expected the folder with the IDX files",
    ),
    Case("a long config", lambda: None, ("check", LONG_NAME + ".yaml"), "File name too long"),
    Case("a config of many folders", lambda: None, ("check", "a/" * 3000), "File name too long"),
    Case(
        "a config that leads to itself",
        link("a.yaml", "a.yaml"),
        ("check", "a.yaml"),
        "a.yaml: cannot be read: Too many levels of symbolic links",
    ),
    Case("no config", lambda: None, ("check", "a.yaml"), "a.yaml: there is no such file"),
    Case(
        "a nearly right name", text("aa.yaml", ""), ("train", "a.yaml"), "did you mean 'aa.yaml'?"
    ),
    Case(
        "a folder without configs",
        lambda: os.mkdir("d"),
        ("check", "d"),
        "argument 'd': no .yaml or .yml file in there",
    ),
    Case(
        "a folder as a config",
        lambda: os.mkdir("d.yaml"),
        ("train", "d.yaml"),
        "d.yaml: is a folder, not a config file",
    ),
    Case(
        "zeros as a config",
        link("a.yaml", "/dev/zero"),
        ("check", "a.yaml"),
        "a.yaml: is larger than 1 MiB, so it is not a config",
    ),
    Case(
        "results in a long folder",
        text("a.yaml", CONFIG),
        ("train", "a.yaml", "--results", LONG_NAME),
        "File name too long",
    ),
    Case(
        "results in a file",
        text("a.yaml", CONFIG),
        ("train", "a.yaml", "--results", "a.yaml"),
        "Directory 'a.yaml' is a file",
    ),
    Case(
        "results that lead to themselves",
        lambda: (text("a.yaml", CONFIG)(), link("results", "results")()),
        ("train", "a.yaml"),
        "Too many levels of symbolic links",
    ),
    Case(
        "an experiment that leads to itself",
        lambda: (text("a.yaml", CONFIG)(), os.mkdir("results"), link("results/a", "a")()),
        ("train", "a.yaml"),
        "is a link that leads to itself; remove it",
    ),
    Case(
        "an experiment that leads elsewhere",
        lambda: (text("a.yaml", CONFIG)(), os.mkdir("results"), link("results/a", "..")()),
        ("train", "a.yaml"),
        "leads out of the results folder; remove that link",
    ),
    Case("results without a name", text("a.yaml", CONFIG), ("ls", "--results", ""), "it is empty"),
    Case(
        "a config of megabytes",
        lambda: Path("a.yaml").write_text("# " + "x" * 2**20),
        ("check", "a.yaml"),
        "is larger than 1 MiB, so it is not a config",
    ),
    *(
        Case(
            f"{' '.join(words)} with results in {place}",
            both(text("a.yaml", CONFIG), text("plain", ""), lambda: os.mkfifo("f")),
            (*words, "--results", place),
            f"'{there}' is no folder; name one, or a new one",
        )
        for place, there in (("/dev/null", "/dev/null"), ("plain/x", "plain"), ("f", "f"))
        for words in RESULTS
    ),
]
