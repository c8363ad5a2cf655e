"""Which path of its data a run stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.runs.storage.paths.data_place import stored_config


@pytest.mark.parametrize(
    ("results", "data", "stored"),
    [
        ("/srv/alice/proj/results", "/srv/alice/proj/a.csv", "../../../a.csv"),
        ("/srv/alice/proj/results", "/srv/alice/proj/data/a.csv", "../../../data/a.csv"),
        ("/srv/alice/proj/results", "/srv/alice/proj/results/a.csv", "../../a.csv"),
        ("/srv/alice/proj/results", "/srv/alice/a.csv", "a.csv"),
        ("/mnt/home/results", "/mnt/home/alice/proj/a.csv", "a.csv"),
        ("/mnt/home/results", "/mnt/home/carol/a.csv", "a.csv"),
        ("/users/results", "/users/carol/a.csv", "a.csv"),
        ("/home/results", "/home/alice/proj/a.csv", "a.csv"),
        ("/scratch/results", "/scratch/alice/a.csv", "a.csv"),
        ("/results", "/data/a.csv", "a.csv"),
    ],
)
def test_a_stored_path_names_no_person(results, data, stored, tmp_path, monkeypatch):
    """It leads to data beside the results or in a folder there; else the name is stored."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: Path("/users/people/carol"))
    folder = Path(results, "houses", "s42-0123456789")
    config = stored_config({"dataset": {"path": data}}, folder, "0" * 64)
    assert stored == config["dataset"]["path"]
