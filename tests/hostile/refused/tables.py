"""Tables of data that are none: CSV files, npz archives, and IDX files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from tests.hostile.refused.refusals import (
    CONFIG,
    REGRESSION,
    Case,
    both,
    csv,
    described,
    npy,
    npz,
    text,
)

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


CASES = [
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
    csv("an open quote", 'a,y\n"1,2\n' + ROWS, "x.csv:2: is no CSV from here on"),
    csv("text after a quote", 'a,y\n"1"x,2\n' + ROWS, "x.csv:2: is no CSV from here on"),
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
