"""What leaderboards take of stored runs, from the index or from reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnrun.runs.catalog import index
from nnrun.runs.catalog.index import BOARD, RECORD, look_through
from nnrun.runs.catalog.summarize import line_of_record
from nnrun.runs.storage.contents.strict_json import sealed, strict_json
from nnrun.sweeps.board.from_store.entry import RunEntry, entry_of
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
    """The entry of a run is the same, whether it comes from its report, its record or its line."""
    monkeypatch.setattr(index, "WORTH", 1)
    record = replace(record, run_id=f"s{record.seed}-0123456789", status="completed")
    put(tmp_path, record)
    expected = RunEntry.of(record)._replace(settings=None)
    contents = []
    for wanted in (BOARD, RECORD):
        (found,) = look_through(tmp_path, [], lambda *both: both, wanted)
        contents.append(type(found[1]).__name__)
        assert expected == entry_of(*found)._replace(settings=None)
        assert RunEntry.of(record).settings.plain == entry_of(*found).settings.plain
    assert ["BoardPart", "RunRecord"] == contents


@pytest.mark.parametrize(
    "changes",
    [{"timing": {"train_seconds": "1"}}, {"metrics": {"train": None}}, {"dataset": {"name": []}}],
)
def test_a_report_without_what_boards_need_has_no_part(tmp_path, changes):
    """So that its record is looked at."""
    record = replace(
        CLASSIFICATION,
        **{key: {**getattr(CLASSIFICATION, key), **new} for key, new in changes.items()},
    )
    if "metrics" in changes:
        record = replace(record, metrics=changes["metrics"])
    line = line_of_record(record, tmp_path, "now")
    assert line is None or "" == line.board
