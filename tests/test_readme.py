"""What the README shows is what happens."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nnrun.cli import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def first(tmp_path, monkeypatch):
    """Its config, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (text,) = blocks("yaml")
    path = Path("first.yaml")
    path.write_text(text, encoding="utf-8")
    return path


def test_its_python_runs(first):
    """One piece after the other; the last trains a sweep of 20 seeds."""
    names: dict[str, object] = {}
    for code in blocks("python"):
        exec(code, names)
    assert (1, 1, 4, 4) == names["dx"].shape
    assert (2,) == names["miles"].shape
    assert names["run"].record == names["same"].record
    assert [10, 10] == [row.completed for row in names["board"].groups[0].rows]
    # Ten of the twenty seeds were in the sweep before.
    assert 10 == names["more"].trained
    assert [] == [*names["board"].failures, *names["more"].failures]


def test_its_config_learns(first):
    """The first config that a reader copies is better than the baseline, by far."""
    done = CliRunner().invoke(cli, ["train", str(first), "--json"])
    assert 0 == done.exit_code
    report = json.loads(done.stdout)
    assert report["metrics"]["test"]["mse"] < 0.3 * report["baseline"]["test"]["mse"]


def test_its_mistake_looks_as_it_says(first):
    """Place, message, suggestion and caret are those that the README shows."""
    first.write_text(first.read_text().replace("[relu", "[rleu"))
    done = CliRunner().invoke(cli, ["check", str(first)])
    assert 2 == done.exit_code
    shown = README.partition("all at once:\n\n  ```\n")[2].partition("  ```")[0]
    assert [line.strip() for line in shown.splitlines()] == [
        line.strip() for line in done.stderr.splitlines()
    ]


def test_its_walk_leads_to_a_report(tmp_path, monkeypatch):
    """Every command of the five minutes does what it says, up to the file that it ends with."""
    monkeypatch.chdir(tmp_path)
    (text,) = blocks("bash")
    _, *commands = [line.partition("#")[0].split() for line in text.splitlines()]
    for program, *words in commands:
        done = CliRunner().invoke(cli, words)
        assert ("nnrun", 0) == (program, done.exit_code), done.output
    assert "15 runs" in Path("mine.html").read_text(encoding="utf-8")


def unlabelled_commands() -> Iterator[list[str]]:
    """The words of every nnrun line in a block of no language, stars of the shell filled in."""
    for block in re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("nnrun "):
                words = shlex.split(line, comments=True)[1:]
                yield [name for word in words for name in (glob(word) if "*" in word else [word])]


def glob(pattern: str) -> list[str]:
    return sorted(str(path) for path in Path().glob(pattern))


def test_its_commands_work(first):
    """One after the other, in a folder with the files that they name."""
    cars = "cylinders,displacement,horsepower,weight,acceleration,model_year,origin"
    rows = ["8,307,130,3504,12,70,1", "4,113,95,2372,15,70,3"]
    Path("new_cars.csv").write_text("\n".join([cars, *rows]), encoding="utf-8")
    scored = [f"{cars},mpg", *(f"{row},20" for row in rows)]
    Path("cars.csv").write_text("\n".join(scored), encoding="utf-8")
    houses = ["size,price", *(f"{40 + n % 13},{2 * (n % 13) + n % 3}" for n in range(60))]
    Path("houses.csv").write_text("\n".join(houses), encoding="utf-8")
    np.savez("images.npz", x=np.zeros((3, 1, 8, 8)))
    Path("configs").mkdir()
    for name in ("iris_softmax", "digits_cnn"):
        text = (ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
        text = re.sub("iterations: .*", "iterations: 20", text)
        Path("configs", f"{name}.yaml").write_text(text, encoding="utf-8")
    done = []
    for words in unlabelled_commands():
        result = CliRunner().invoke(cli, words)
        assert (words, 0) == (words, result.exit_code), result.output
        done.append(words[0])
    assert {"check", "train", "sweep", "ls", "show", "compare", "report", "predict"} < set(done)


def test_its_pictures_are_there_and_small():
    """Each a PNG of less than 200 kB."""
    found = [ROOT / path for path in re.findall(r"!\[.*?\]\((.*?)\)", README)]
    assert ["sweep.png", "report.png"] == [path.name for path in found]
    assert [b"\x89PNG"] * 2 == [path.read_bytes()[:4] for path in found]
    assert max(path.stat().st_size for path in found) < 200_000
