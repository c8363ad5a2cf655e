"""Which path of its data a run stores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnrun.runs.pack import _is_long
from nnrun.runs.storage.data_place import stored_config


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


@pytest.mark.parametrize("shared", ["writable", "of another user", "with data of another user"])
def test_a_folder_in_a_shared_one_may_be_named_after_a_person(shared, tmp_path, monkeypatch):
    """Where all may write, or what others own; the name of the data is stored."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path / "cache"))
    project = tmp_path / "shared"
    (project / "alice").mkdir(parents=True)
    run = project / "results" / "houses" / "s42-0123456789"
    config = {"dataset": {"path": str(project / "alice" / "a.csv")}}
    own = stored_config(config, run, "0" * 64)
    assert "../../../alice/a.csv" == own["dataset"]["path"]
    if shared == "writable":
        project.chmod(0o777)
    else:
        others, real = project / "alice" if "data" in shared else project, os.stat
        monkeypatch.setattr(os, "geteuid", lambda: real(tmp_path).st_uid + 1)

        def stat(path, **options):
            state = list(real(path, **options))
            state[4] += path != others  # the owner
            return os.stat_result(state)

        monkeypatch.setattr("nnrun.systems.posix.os.stat", stat)
    assert "a.csv" == stored_config(config, run, "0" * 64)["dataset"]["path"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("a.csv", False),
        ("../../a.csv", False),
        ("../../../data/a.csv", False),
        ("../../../people/alice/a.csv", True),
        ("../../../../alice/a.csv", True),
        ("..\\..\\..\\people\\alice\\a.csv", True),
        ("/home/alice/a.csv", True),
        ("C:\\alice\\a.csv", True),
    ],
)
def test_only_runs_with_short_paths_are_unpacked(path, names):
    """Longer ones lead through folders of this machine, and `pack` writes none."""
    assert names == _is_long(path)
