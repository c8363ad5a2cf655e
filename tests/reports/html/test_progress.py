"""Runs in progress: their curves so far."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.reports.document import Figures
from nnrun.reports.html.overview import Found
from nnrun.reports.html.runs import in_progress
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.storage.progress import RunProgress
from nnrun.ui.watcher import table_of

ROWS = [{"iteration": 100, "train_loss": 2.0}, {"iteration": 200, "train_loss": 1.0}]


def run(seed: int, rate: float, status: str = "running") -> RunSummary:
    at = RunProgress(200, 1000, 1.0, None, None, ROWS, seed, None, None, None, "", 2)
    settings = {"training.learning_rate": rate}
    return RunSummary(
        "a", f"s{seed}-0123456789", status, seed=seed, settings=settings, progress=at,
        started="2026-01-02T03:04:05", seconds=0.0,
    )  # fmt: skip


def test_a_curve_so_far_is_over_the_whole_run() -> None:
    """So that it shows how far the run has come; its title has what tells the run from others."""
    (section,) = in_progress([run(1, 0.1), run(2, 0.5)])
    (figures,) = [block for block in section.blocks if isinstance(block, Figures)]
    titles = ["loss of learning_rate=0.1 seed=1", "loss of learning_rate=0.5 seed=2"]
    assert titles == [chart.title for chart in figures.charts]
    first, second = figures.charts[0].table.places
    start, end = first - (second - first), 480 - 20
    assert 10 == pytest.approx((end - start) / (second - first))


def test_a_run_that_waits_has_not_started() -> None:
    """It has neither a start nor a time, unlike one that trains."""
    found = [Found(Path("a"), one) for one in (run(1, 0.1, "queued"), run(2, 0.1))]
    shown = [[row[5].text, row[7].text] for row in table_of(found, found, "Runs").rows]
    assert [["–", "–"], ["2026-01-02 03:04:05", "0.00 s"]] == shown
