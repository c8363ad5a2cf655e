"""What the README promises beyond what holds for every page (`tests/docs`)."""

from __future__ import annotations

import re

from tests.docs.conftest import folder, trained  # noqa: F401  # fixtures
from tests.docs.examples import README, ROOT, blocks, read
from tests.lab import data_of, invoke_well

TEXT = read(README)


def test_it_is_short():
    """What is longer is a page of its own."""
    assert len(TEXT.splitlines()) <= 150


def test_its_config_learns_and_gives_what_is_shown(folder):  # noqa: F811
    """Every line of the output is one of the command's; the loss is far below the baseline's."""
    done = invoke_well("train", "first.yaml", COLUMNS="100")
    (config,) = blocks(TEXT, "yaml")
    shown = TEXT.partition(config)[2].partition("```text\n")[2].partition("```")[0]
    assert [] == [line for line in shown.splitlines() if line not in done.out.splitlines()]
    report = data_of("train", "first.yaml")
    assert report["metrics"]["test"]["mse"] < 0.3 * report["baseline"]["test"]["mse"]


def test_its_first_commands_keep_an_environment():
    """Nothing is cleared, and nothing is called by a script of it, which may be a copy's."""
    setup, tests = blocks(TEXT, "sh")[0].splitlines()
    for line in (setup, tests):
        assert line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install --quiet ")
        assert "--clear" not in line
        assert {".venv", ".venv/bin/python"} == {w for w in line.split() if w.startswith(".venv")}


def test_its_pictures_are_there_and_small():
    """Each a PNG of less than 200 kB."""
    found = [ROOT / path for path in re.findall(r"!\[.*?\]\((.*?)\)", TEXT)]
    assert ["report.png"] == [path.name for path in found]
    assert [b"\x89PNG"] == [path.read_bytes()[:4] for path in found]
    assert max(path.stat().st_size for path in found) < 200_000
