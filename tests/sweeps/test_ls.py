"""`nnrun ls`: reads back what is there, and bears with what should not be."""

from __future__ import annotations

import json

import pytest


def test_runs_are_listed(run, write):
    """Name and id as other commands take them, status and main metric."""
    write("iris")
    run("sweep", "configs", "--seeds", 2)
    code, out, _ = run("ls")
    assert 0 == code
    assert 2 == out.count("iris/s")
    assert 2 == out.count("completed")
    assert "2 runs" in out
    listed = json.loads(run("ls", "--json")[1])
    assert [3, 4] == sorted(row["seed"] for row in listed)
    report = json.loads(next(iter_reports(listed)).read_text())
    assert report["metrics"]["test"]["accuracy"] == listed[0]["test"]
    assert 1 == len(json.loads(run("ls", "--json", "-n", 1)[1]))
    assert 2 == len(json.loads(run("ls", "iris", "--json")[1]))


def test_a_name_that_is_none_is_told(run, write):
    """A slip of the pen is no empty table."""
    write("iris")
    run("sweep", "configs")
    code, out, err = run("ls", "irris")
    assert (2, "") == (code, out)
    assert "no run in results is called 'irris'; did you mean 'iris'?" in err


def iter_reports(listed):
    from pathlib import Path

    for row in listed:
        yield Path("results", row["name"], row["run_id"], "report.json")


def test_the_leaderboard_is_read_back(run, write):
    """It is shown as the sweep has shown it."""
    write("iris")
    _, shown, _ = run("sweep", "configs", "--seeds", 2)
    assert (0, shown) == run("ls", "--leaderboard")[:2]
    board = json.loads(run("ls", "--leaderboard", "--json")[1])
    assert "iris" == board["groups"][0]["rows"][0]["name"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"schema_version": 9}', b"\xff\xfe", b'{"schema_version": 1}',
     b"NaN", b"[" * 100_000],
)  # fmt: skip
def test_a_damaged_report_is_listed_as_such(run, write, tmp_path, content):
    """Whatever it holds, and the others are shown all the same."""
    write("iris")
    run("sweep", "configs", "--seeds", 2)
    next(tmp_path.glob("results/iris/s3-*/report.json")).write_bytes(content)
    code, out, err = run("ls", "--json")
    assert (0, "") == (code, err)
    assert ["completed", "unreadable"] == sorted(row["status"] for row in json.loads(out))
    assert 0 == run("ls")[0]


def test_a_report_with_values_of_other_kinds_is_borne_with(run, write, tmp_path):
    """Numbers where there should be blocks, and the like."""
    write("iris")
    run("sweep", "configs")
    path = next(tmp_path.glob("results/iris/*/report.json"))
    report = json.loads(path.read_text())
    for key in report.keys() - {"schema_version"}:
        for value in (5, None, "x", [], {}):
            path.write_text(json.dumps({**report, key: value}))
            assert 0 == run("ls")[0], (key, value)


def test_what_is_no_run_is_passed_over(run, write, tmp_path):
    """Files, empty folders, folders of other programs."""
    write("iris")
    run("sweep", "configs")
    (tmp_path / "results/notes.txt").write_text("mine")
    (tmp_path / "results/.git/objects").mkdir(parents=True)
    (tmp_path / "results/iris/empty").mkdir()
    assert 1 == len(json.loads(run("ls", "--json")[1]))


def test_no_results_folder_is_an_error(run):
    """Exit 2, and the commands that would make one."""
    code, _, err = run("ls")
    assert 2 == code
    assert "there is no results folder results; nnrun train and sweep make one" in err


def test_a_damaged_leaderboard_is_an_error(run, write, tmp_path):
    """As is one that is not there."""
    write("iris")
    run("sweep", "configs")
    board = tmp_path / "results/leaderboard.json"
    for content in ("{", "[]", "{}", '{"groups": [{}], "command": ""}'):
        board.write_text(content)
        assert 2 == run("ls", "--leaderboard")[0]
    board.unlink()
    assert "nnrun sweep writes one" in run("ls", "--leaderboard")[2]
