"""A completed run with warnings is never shown as one without."""

from __future__ import annotations

from pathlib import Path

import pytest

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
def runs(lab):
    """Two runs of no use, and two that are fine."""
    sweep = "sweep blind.yaml fine.yaml -j 1 -q"
    lab.begin({"blind.yaml": BLIND, "fine.yaml": FINE}, sweep)
    return lab.json("ls")


def test_lists_count_warnings(lab, runs):
    """In words, as data, and to choose by."""
    by_name = {name: [r for r in runs if r["name"] == name] for name in ("blind", "fine")}
    assert all(run["warnings"] > 0 for run in by_name["blind"])
    assert [0, 0] == [run["warnings"] for run in by_name["fine"]]
    listed = lab("ls", "blind", "--wide").out
    assert f"completed, {by_name['blind'][0]['warnings']} warning" in listed
    assert "warning" not in lab("ls", "fine").out
    chosen = lab.json("ls", "--where", "warnings=0")
    assert {"fine"} == {run["name"] for run in chosen}
    header, *rows = lab("ls", "--csv").out.splitlines()
    column = header.split(",").index("warnings")
    assert {str(run["warnings"]) for run in runs} == {row.split(",")[column] for row in rows}


def test_reports_count_warnings(lab, runs):
    """In the heading of a run, in report.md, and in amber on the page and its boards."""
    (run, *_) = [run for run in runs if run["name"] == "blind"]
    words = f"completed, {run['warnings']} warning"
    assert words in lab("show", f"blind/{run['run_id']}").out.splitlines()[0]
    report = Path("results", "blind", run["run_id"], "report.md").read_text()
    assert f"**{words}" in report
    lab.ok("report")
    page = Path("report.html").read_text()
    assert '<span class="status warned">2 completed with warnings</span>' in page
    assert f'<span class="status warned">{words}' in page
    assert ">2, 2 with warnings<" in page


def test_amber_stands_for_green(lab, runs):
    """On a terminal with colours."""
    shown = lab("ls", FORCE_COLOR="1", COLUMNS="100").out
    green, yellow = "\x1b[32mcompleted", "\x1b[33mcompleted"
    assert [2, 2] == [shown.count(green), shown.count(yellow)]
