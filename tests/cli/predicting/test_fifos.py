"""A FIFO in the place of a file is refused, without waiting for its other end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import write

ROWS = "size,colour\n1,red\n2,blue\n"
# Far longer than any of these commands takes: one that waits for ever fails its test.
_PATIENCE = 120

READING = [
    ("check", "f.yaml"),
    ("train", "f.yaml"),
    ("sweep", "f.yaml"),
    ("search", "f.yaml"),
    ("explain", "f.yaml"),
    ("init", "--data", "f.csv"),
    ("check", "f.py"),
    ("predict", "prices", "f.csv"),
    ("predict", "prices", "f.csv", "--skip-bad", "bad.csv"),
    ("predict", "prices", "f.npz"),
    ("sweep", "prices.yaml", "--replication", "--reference", "f.csv"),
]
WRITING = [
    ("predict", "prices", "new.csv", "-o", "f.csv"),
    ("predict", "prices", "new.csv", "--skip-bad", "f.csv"),
    ("export", "prices", "-o", "f.py"),
    ("pack", "prices", "-o", "f.zip"),
    ("report", "-o", "f.html"),
    ("best", "prices", "-o", "f.yaml"),
    ("explain", "prices", "--html", "f.html"),
    ("schema", "-o", "f.json"),
    ("search", "prices.yaml", "--trials", "2", "--export", "f.db"),
]


def answer(start, *words: str) -> tuple[int, str]:
    process = start(*words, stdin=subprocess.DEVNULL)
    _, said = process.communicate(timeout=_PATIENCE)
    return process.returncode, said


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_fifo_is_not_read(prices, start, words):
    """Nobody may ever write to it; the message names it, and nothing is written."""
    (name,) = (word for word in words if word.startswith("f."))
    os.mkfifo(name)
    before = sorted(Path().rglob("*"))
    code, said = answer(start, *words)
    assert 2 == code
    assert f"{name}: is a FIFO, not a file" in said.replace(f"{name} is", f"{name}: is")
    assert before == sorted(Path().rglob("*"))


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_a_fifo_is_not_written_to(prices, start, words):
    """Nobody may ever read from it; the message has the option, and nothing is written."""
    write("new.csv", ROWS)
    os.mkfifo(words[-1])
    before = sorted(Path().rglob("*"))
    code, said = answer(start, *words)
    assert 2 == code
    assert f"error: {words[-2]} {words[-1]}: is a FIFO, not a file; name a file" in said
    assert before == sorted(Path().rglob("*"))


def test_a_fifo_is_a_file_that_is_there(start, folder):
    """`nnrun init` overwrites nothing, and writes into nothing that is there."""
    os.mkfifo("mine.yaml")
    code, said = answer(start, "init", "mine")
    assert 2 == code
    assert "mine.yaml exists already" in said


def test_no_file_is_written_to_a_fifo(start, folder):
    """Where files are written, too, and not by the command line alone."""
    script = (
        "from pathlib import Path; from nnrun.runs.storage.durable import write_atomically\n"
        "write_atomically(Path('f'), b'')"
    )
    os.mkfifo("f")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=_PATIENCE, check=False
    )
    assert b"DataError: f: is a FIFO, not a file; name a file" in done.stderr


def shell(words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", words.replace("nnrun", f"{sys.executable} -m nnrun", 1)],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        "nnrun check <(cat flowers.yaml)",
        "nnrun check /dev/stdin < flowers.yaml",
        "nnrun check /dev/stdin < <(cat flowers.yaml)",
        "(cat flowers.yaml > f &); exec 3< f; nnrun check /dev/fd/3",
    ],
)
def test_pipes_of_a_shell_are_configs(flowers, words):
    """What the process was given open is read, whether its writer has ended or not."""
    os.mkfifo("f")
    plain, done = shell("nnrun check flowers.yaml"), shell(words)
    assert (0, plain.stdout.splitlines()[-1]) == (done.returncode, done.stdout.splitlines()[-1])


@pytest.mark.parametrize("rows", ["<(cat new.csv)", "/dev/stdin < <(cat new.csv)"])
@pytest.mark.parametrize("output", [">(cat)", "/dev/stdout"])
def test_pipes_of_a_shell_take_predictions(prices, lab, rows, output):
    """Rows from one, predictions to another, the same as with files."""
    write("new.csv", ROWS)
    expected = lab("predict", "prices", "new.csv").out
    assert expected == shell(f"nnrun predict prices -o {output} {rows} | cat").stdout
