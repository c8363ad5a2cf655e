"""A completed run with warnings is never shown as one without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import write

BLIND = """\
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 1.0e-9, iterations: 3, engine: numpy}
sweep: {seeds: 2}
"""
FINE = BLIND.replace("1.0e-9, iterations: 3", "0.1, epochs: 20, batch_size: 8").replace(
    "{name: iris}", "{name: iris, features: standard}"
)


@pytest.fixture
def runs(nnrun):
    """Two runs of no use, and two that are fine."""
    write("blind.yaml", BLIND)
    write("fine.yaml", FINE)
    assert 0 == nnrun("sweep", "blind.yaml", "fine.yaml", "-j", "1", "-q").exit_code
    return json.loads(nnrun("ls", "--json").stdout)


def test_lists_count_warnings(nnrun, runs):
    """In words, as data, and to choose by."""
    by_name = {name: [r for r in runs if r["name"] == name] for name in ("blind", "fine")}
    assert all(run["warnings"] > 0 for run in by_name["blind"])
    assert [0, 0] == [run["warnings"] for run in by_name["fine"]]
    listed = nnrun("ls", "blind", "--wide").stdout
    assert f"completed, {by_name['blind'][0]['warnings']} warning" in listed
    assert "warning" not in nnrun("ls", "fine").stdout
    chosen = json.loads(nnrun("ls", "--json", "--where", "warnings=0").stdout)
    assert {"fine"} == {run["name"] for run in chosen}
    header, *rows = nnrun("ls", "--csv").stdout.splitlines()
    column = header.split(",").index("warnings")
    assert {str(run["warnings"]) for run in runs} == {row.split(",")[column] for row in rows}


def test_reports_count_warnings(nnrun, runs):
    """In the heading of a run, in report.md, and in amber on the page and its boards."""
    (run, *_) = [run for run in runs if run["name"] == "blind"]
    words = f"completed, {run['warnings']} warning"
    assert words in nnrun("show", f"blind/{run['run_id']}").stdout.splitlines()[0]
    report = Path("results", "blind", run["run_id"], "report.md").read_text()
    assert f"**{words}" in report
    assert 0 == nnrun("report").exit_code
    page = Path("report.html").read_text()
    assert '<span class="status warned">2 completed with warnings</span>' in page
    assert f'<span class="status warned">{words}' in page
    assert ">2, 2 with warnings<" in page


def test_amber_stands_for_green(nnrun, runs):
    """On a terminal with colours."""
    shown = nnrun("ls", env={"FORCE_COLOR": "1", "COLUMNS": "100"}).stdout
    green, yellow = "\x1b[32mcompleted", "\x1b[33mcompleted"
    assert [2, 2] == [shown.count(green), shown.count(yellow)]
