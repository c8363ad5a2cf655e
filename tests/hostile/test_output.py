r"""What comes out cannot steer a terminal, run in a spreadsheet, or pose as something else.

The texts come in as descriptions, labels, columns, arguments and names of files.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from nnrun.characters import cell, csv_line, escaped
from nnrun.cli.group import run
from nnrun.reports.markup import escape
from tests.hostile.conftest import Answer

CONTROLS = [chr(point) for point in (*range(0x20), *range(0x7F, 0xA0)) if chr(point) not in "\n\t"]
BIDI = list("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
STEERING = re.compile("[" + "".join(map(re.escape, [*CONTROLS, *BIDI])) + "]")
HOSTILE = "a\x7fb\x85c\x9b31md\u202ee\u2066f\u200fg"
FORMULAS = ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "＝1", " =1"]

CONFIG = """\
dataset: {{path: x.csv, columns: {{target: {target}}}, task: regression}}
description: {description}
network: {{sizes: [1], activations: [linear]}}
loss: mean_squared
training: {{learning_rate: 0.1, iterations: 10, engine: numpy}}
"""


@pytest.fixture
def hostile_config(folder: Path) -> Path:
    """A config and a table in which every free text is hostile."""
    target = f"={HOSTILE}"
    (folder / "x.csv").write_text(f"{target},<b>&lt;{HOSTILE}\n" + "1,2\n2,3\n3,5\n" * 5)
    values = {"target": json.dumps(target), "description": json.dumps(HOSTILE)}
    (folder / "a.yaml").write_text(CONFIG.format(**values))
    return folder / "a.yaml"


def test_nothing_that_is_printed_steers_a_terminal(
    hostile_config: Path, nnrun: Callable[..., Answer]
) -> None:
    """On stdout and on stderr, as tables, as JSON and as CSV."""
    commands = [
        ("check", "a.yaml"),
        ("check", "a.yaml", "--json"),
        ("train", "a.yaml"),
        ("train", "a.yaml", "--json"),
        ("sweep", "a.yaml", "--seeds", "2"),
        ("sweep", "a.yaml", "--seeds", "2", "--json"),
        ("sweep", "a.yaml", "description=\u202ea\u2066b", "--dry-run"),
        ("ls",),
        ("ls", "--json"),
        ("ls", "--csv"),
        ("ls", "--md"),
        ("predict", "latest", "x.csv"),
        ("predict", "latest", "x.csv", "--score", "--json"),
    ]
    for words in commands:
        answer = nnrun(*words)
        assert 0 == answer.code, answer
        assert [] == STEERING.findall(answer.said), words
        if "--json" in words:
            assert isinstance(json.loads(answer.out), dict | list)


def test_nothing_that_is_written_steers_a_terminal(
    hostile_config: Path, nnrun: Callable[..., Answer], folder: Path
) -> None:
    """In every file of the results that people open; and the data say what they said."""
    assert 0 == nnrun("sweep", "a.yaml", "--seeds", "2").code
    assert 0 == nnrun("report", "-o", "results/report.html").code
    files = [path for path in folder.glob("results/**/*.*") if path.suffix != ".safetensors"]
    assert {".yaml", ".json", ".csv", ".md", ".html"} == {
        path.suffix for path in files if path.is_file()
    }
    for path in files:
        assert [] == STEERING.findall(path.read_text(encoding="utf-8")), path
    (report, _) = folder.glob("results/a/*/report.json")
    assert HOSTILE == json.loads(report.read_text())["description"]


@pytest.mark.parametrize(
    "words",
    [
        (f"{HOSTILE}",),
        ("check", f"{HOSTILE}.yaml"),
        ("check", "a.yaml", f"{HOSTILE}=1"),
        ("check", "a.yaml", f"description='{HOSTILE}' x"),
        ("check", "a.yaml", f"training.{HOSTILE}=1"),
        ("check", "a.yaml", f"loss={HOSTILE}"),
        ("check", f"--{HOSTILE}"),
        ("check", "a=1", HOSTILE),
        ("train", "a.yaml", "--iterations", HOSTILE),
        ("train", "a.yaml", f"{HOSTILE}.yaml"),
        ("ls", "--results", "a.yaml"),
        ("ls", "--where", HOSTILE),
        ("predict", HOSTILE, "x.csv"),
        ("sweep", "a.yaml", "-j", HOSTILE),
        ("sweep", "a.yaml", "--dask", HOSTILE, "-j", "2"),
        ("sweep", "a.yaml", f"name={HOSTILE}"),
    ],
    ids=range(16),
)
@pytest.mark.parametrize("switch", [(), ("--json",), ("--debug",)], ids=["", "json", "debug"])
def test_no_message_steers_a_terminal(
    words: tuple[str, ...],
    switch: tuple[str, ...],
    hostile_config: Path,
    nnrun: Callable[..., Answer],
) -> None:
    """Neither nnrun's own messages nor those of the library that reads the command line."""
    answer = nnrun(*words, *(switch if len(words) > 1 else ()))
    assert 2 == answer.code, answer
    assert [] == STEERING.findall(answer.said)
    if switch == ("--json",) and len(words) > 1 and not words[1].startswith("--"):
        assert {"problems", "more_problems"} <= json.loads(answer.out).keys()


def test_warnings_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those about a cache whose folder has a name."""
    monkeypatch.setattr("nnrun.cli.group.cli", lambda: None)
    monkeypatch.setattr("nnrun.cli.group.gc", Mock())  # the tests' garbage is still collected
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    run()
    shown = warnings.formatwarning(UserWarning(HOSTILE), UserWarning, "", 1)
    assert f"warning: {escaped(HOSTILE)}\n" == shown


@pytest.mark.parametrize("character", [*CONTROLS, *BIDI, "\u2028", "\ufeff", "\U000e0001"])
def test_what_cannot_be_seen_is_written_out(character: str) -> None:
    """As Python would write it, so that it can be searched for."""
    assert f"a{ascii(character)[1:-1]}b" == escaped(f"a{character}b")
    assert "über 日本 🙂\n\t" == escaped("über 日本 🙂\n\t")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    """It is shown as text, as if one had typed an apostrophe before it."""
    assert "'" == cell(text)[0]
    assert "\t" not in cell(text)
    assert "\r" not in cell(text)


@pytest.mark.parametrize("value", [-1.5, -3, None, True, "a=1", "", "iris", "x -1", "{}"])
def test_other_cells_stay_as_they_are(value: object) -> None:
    """Numbers above all, which may well begin with a minus sign."""
    assert value == cell(value)


def test_a_leaderboard_has_no_formulas(
    hostile_config: Path, nnrun: Callable[..., Answer], folder: Path
) -> None:
    """Though a column of the data is called like one."""
    assert 0 == nnrun("sweep", "a.yaml", "--seeds", "2").code
    with (folder / "results/leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [f"'={escaped(HOSTILE)}"] == [row["target"] for row in rows]
    for row in rows:
        float(row["train_mean"])


def test_predictions_have_no_formulas(folder: Path, nnrun: Callable[..., Answer]) -> None:
    """Nor anything that steers a terminal; labels that are numbers stay as they are."""
    labels = [f"={HOSTILE}", "-1", "@x"]
    rows = [f"{int(k % 3 == 0)},{int(k % 3 == 1)},{labels[k % 3]}\n" for k in range(30)]
    (folder / "x.csv").write_text("a,b,label\n" + "".join(rows))
    block = "{path: x.csv, columns: {target: label}, task: classification}"
    text = CONFIG.format(target="label", description="none").splitlines()
    text[0], text[2], text[3] = (
        f"dataset: {block}", "network: {sizes: [3], activations: [softmax]}", "loss: cross_entropy",
    )  # fmt: skip
    (folder / "a.yaml").write_text("\n".join(text))
    assert 0 == nnrun("train", "a.yaml", "training.iterations=300").code
    answer = nnrun("predict", "a", "x.csv")
    assert 0 == answer.code
    assert not STEERING.search(answer.out)
    header, *found = csv.reader(answer.out.splitlines())
    assert {"prediction", f"p_{escaped(labels[0])}", "p_-1", "p_@x"} == {*header}
    assert {f"'={escaped(HOSTILE)}", "-1", "'@x"} == {row[0] for row in found}
    assert not any(cell.startswith("=") for row in found for cell in row)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://evil.example/x", r"http\://evil.example/x"),
        ("see HTTPS://evil.example", r"see HTTPS\://evil.example"),
        ("ftp://evil.example", r"ftp\://evil.example"),
        ("www.evil.example", r"www\.evil.example"),
        ("&lt;b&gt; &#60;", r"\&lt;b\&gt; \&\#60;"),
        ("<script>", r"\<script\>"),
        ("- a list", r"\- a list"),
        ("+ a list", r"\+ a list"),
        ("1. a list", r"1\. a list"),
        ("12) a list", r"12\) a list"),
        ("---", r"\---"),
        ("===", r"\==="),
        ("# a heading", r"\# a heading"),
        ("> a quotation", r"\> a quotation"),
        ("[x](http://y)", r"\[x\](http\://y)"),
        ("-0.5", "-0.5"),
        ("1.5", "1.5"),
        ("a - b", "a - b"),
        ("\u202eabc", " abc"),
    ],
)
def test_markdown_shows_what_was_written(text: str, shown: str) -> None:
    """No link, no entity, no list: Markdown's own escapes stand before what would be one."""
    assert shown == escape(text)


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
def test_no_cell_is_several_to_a_reader_with_another_separator(separator: str) -> None:
    """A reader splits outside of quotes alone; None and nothing are empty cells, no blank line."""
    row = [f"a{separator}b", " c", 'd"e', "f\ng", 1.5, None, ""]
    line = csv_line(row)
    assert ["" if value is None else str(value) for value in row] == next(csv.reader([line]))
    unquoted = re.sub(r'"(?:[^"]|"")*"', "", line)
    assert separator == "," or separator not in unquoted
    assert '""\n' == csv_line([""])


def test_predictions_quote_what_others_split(folder: Path, nnrun: Callable[..., Answer]) -> None:
    """Labels and what is carried; a script writes the bytes of `nnrun predict`."""
    (folder / "x.csv").write_text("a,id,y\n" + "1,p|q,u;v\n2,r,w|x\n" * 9)
    config = CONFIG.format(target="y", description="x").replace("sizes: [1]", "sizes: [2]")
    config = config.replace("regression", "classification").replace("mean_squared", "cross_entropy")
    config = config.replace("linear", "softmax").replace("target: y", "target: y, features: [a]")
    (folder / "a.yaml").write_text(config)
    assert 0 == nnrun("train", "a.yaml").code
    predicted = nnrun("predict", "latest", "x.csv", "--id", "id").out
    assert 0 == nnrun("export", "latest", "-o", "m.py").code
    command = [sys.executable, "m.py", "x.csv"]
    script = subprocess.run(command, capture_output=True, text=True, check=True)
    assert nnrun("predict", "latest", "x.csv").out == script.stdout
    for text in (predicted, script.stdout):
        assert '"' in text
        assert [] == re.findall("[;|]", re.sub('"[^"]*"', "", text))
