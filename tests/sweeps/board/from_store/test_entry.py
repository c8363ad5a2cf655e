"""What leaderboards take of stored runs, from the index or from reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnrun.runs.catalog import index
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.summarize import line_of_record, summary_of
from nnrun.runs.storage.sealed import sealed, strict_json
from tests.reports.conftest import CLASSIFICATION, REGRESSION

PLAIN = {"dataset": {}, "network": {}, "training": {"learning_rate": 0.1}}
REGRESSION = replace(REGRESSION, config={**REGRESSION.config, **PLAIN})
CLASSIFICATION = replace(CLASSIFICATION, config={**CLASSIFICATION.config, **PLAIN})
RECORDS = {
    "regression": REGRESSION,
    "classification": CLASSIFICATION,
    "warned": replace(CLASSIFICATION, warnings=[{"kind": "dead_units", "text": "…"}]),
    "published": replace(
        REGRESSION,
        config={**REGRESSION.config, "published": {"source": "a book", "test_mse": 7.5}},
        published=[{"metric": "test_mse", "published": 7.5, "ours": 7.25, "difference": -0.25}],
    ),
    "folds": replace(
        CLASSIFICATION,
        config={**CLASSIFICATION.config, "dataset": {"folds": 3, "fold": 2, "split": {"seed": 5}}},
    ),
    "without a baseline": replace(CLASSIFICATION, baseline=dict.fromkeys(CLASSIFICATION.baseline)),
}


def put(root, record):
    folder = root / record.name / record.run_id
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "report.json").write_bytes(sealed(strict_json(record.to_dict()).encode()))


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_the_index_has_what_a_report_has(tmp_path, monkeypatch, record):
    """The row of a run is the same, whether it comes from its report, its record or its line."""
    monkeypatch.setattr(index, "WORTH", 1)
    record = replace(record, run_id=f"s{record.seed}-0123456789", status="completed")
    put(tmp_path, record)
    assert summary_of(record).is_sound
    for order_by in (None, record.main_metric):
        for _ in range(2):  # from its report, and from its line
            assert [summary_of(record)] == look(tmp_path, boards=True, order_by=order_by)


def test_a_row_is_by_the_metric_that_is_asked_for(tmp_path, monkeypatch):
    """Its own and that of the baseline, from a report and from a line of the index."""
    monkeypatch.setattr(index, "WORTH", 1)
    record = replace(REGRESSION, run_id="s7-0123456789")
    put(tmp_path, record)
    for _ in range(2):
        (run,) = look(tmp_path, boards=True, order_by="r2")
        assert ("r2", True, (0.85, None, 0.7)) == (run.metric, run.larger_is_better, run.by_split)
        assert (0.0, None, -0.01) == run.baseline
        (other,) = look(tmp_path, boards=True, order_by="mcc")
        assert "mse" == other.metric


@pytest.mark.parametrize(
    "changes",
    [{"timing": {"train_seconds": "1"}}, {"metrics": {"train": None}}, {"dataset": {"name": []}}],
)
def test_a_report_without_what_boards_need_has_no_part(tmp_path, changes):
    """So that its report is read again."""
    record = replace(
        CLASSIFICATION,
        **{key: {**getattr(CLASSIFICATION, key), **new} for key, new in changes.items()},
    )
    if "metrics" in changes:
        record = replace(record, metrics=changes["metrics"])
    assert line_of_record(record, tmp_path, "now") is None
