"""Values that contradict each other alone: their runs fail, and the others are trained."""

from __future__ import annotations

import json

import pytest

from nnrun.errors import ConfigError, DataError, NnrunError
from nnrun.runs.preparation.prepare import prepare
from nnrun.sweeps.planning import validate, variants
from tests.sweeps.helpers import IRIS, run_inline

# With half of the rows for tests, 75 are left to train on.
WORDS = ("dataset.test_size=0.2,0.5", "training.batch_size=20,100")
TOO_LARGE = "a batch of 100 rows is larger than the training split, which has 75"
WRONG = "iris test_size=0.5 batch_size=100"


@pytest.mark.parametrize("most", [1, 500])
def test_its_runs_fail_with_their_place_and_leave_the_others(wide, write, monkeypatch, most):
    """Exit 1, each named at the end, in a small grid and in a large one; again each time."""
    monkeypatch.setattr(validate, "MOST_AT_ONCE", most)
    write("iris")
    for trained, complete in ((6, 0), (0, 6)):
        code, out, err = wide("sweep", "configs", *WORDS, "--seeds", 2, "--json")
        data = json.loads(out)
        assert (1, trained, complete) == (code, data["trained"], data["complete_before"])
        assert (2, 0) == (data["failed"], data["left"])
        reason = f"argument '{WORDS[1]}': training.batch_size: {TOO_LARGE}"
        assert [(f"{WRONG} seed={seed}", reason) for seed in (3, 4)] == [
            (failure["label"], failure["reason"]) for failure in data["failures"]
        ]
        assert f"of 8 runs, 2 failed\n  {WRONG} seed=3: {reason}\n" in err
        rows = data["leaderboard"]["groups"][0]["rows"]
        assert [2, 2, 2, 0] == [row["completed"] for row in rows]


def test_the_place_is_that_in_the_config(plan, sweep, write):
    """The file, the line and the column of the value."""
    block = "sweep:\n  grid: {dataset.test_size: [0.2, 0.5], training.batch_size: [20, 100]}\n"
    done = run_inline(sweep(plan(write("iris", IRIS + block))))
    ((failure),) = done.failures
    assert 3 == done.trained
    assert f"iris.yaml:8:67: training.batch_size: {TOO_LARGE}" in failure.reason
    assert "\n" not in failure.reason


def test_what_keys_exclude_is_found_late_in_a_large_grid(plan, sweep, write, monkeypatch):
    """And what they exclude at first is refused in a small one."""
    monkeypatch.setattr(validate, "MOST_AT_ONCE", 1)
    words = ("dataset.validation_size=0.2,0", "training.early_stopping=null,{patience: 3}")
    done = run_inline(sweep(plan(write("iris"), *words)))
    assert (3, 1) == (done.trained, done.failed)
    assert "early stopping watches a validation split" in done.failures[0].reason


def test_a_dry_run_names_it(wide, write, tmp_path):
    """Exit 1 after the table, which has all settings; nothing is written."""
    write("iris")
    code, out, err = wide("sweep", "configs", *WORDS, "--dry-run")
    assert (1, 4) == (code, out.count("batch_size="))
    reason = f"argument '{WORDS[1]}': training.batch_size: {TOO_LARGE}"
    expected = f"error: 1 setting cannot be trained, and the others can\n  {WRONG}: {reason}\n"
    assert expected == err
    points = json.loads(wide("sweep", "configs", *WORDS, "--dry-run", "--json")[1])["points"]
    assert [None, None, None, reason] == [point.get("refused") for point in points]
    assert not (tmp_path / "results").exists()


def test_fail_fast_stops_there(plan, sweep, write):
    """As at any other run that fails."""
    done = run_inline(sweep(plan(write("iris"), *WORDS, seeds=50), fail_fast=True))
    assert 1 == done.failed
    assert done.missing


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_shard_counts_those_of_all_shards(wide, write, order):
    """Whichever shard they are in, so that the last one writes the board of the sweep."""
    write("iris")
    codes = [wide("sweep", "configs", *WORDS, "--shard", f"{k}/2")[0] for k in order]
    assert [0, 1] == sorted(codes)
    data = json.loads(wide("ls", "--leaderboard", "--json")[1])
    assert [1, 1, 1, 0] == [row["completed"] for row in data["groups"][0]["rows"]]
    assert data.get("unfinished") is None


def test_folds_of_it_fail_each(plan, sweep, write):
    """As many runs as the values give it."""
    made = plan(write("iris"), "dataset.folds=3,2", "training.batch_size=20,90", seeds=2)
    done = run_inline(sweep(made))
    assert (16, 4, 20) == (done.trained, done.failed, len(made))
    assert [1, 2] == sorted({run.replicate.fold for run in made.runs() if run.variant.refused})


@pytest.mark.parametrize("error", [NnrunError("no such thing"), DataError("no such thing")])
def test_any_error_of_preparation_is_that_of_its_runs(plan, sweep, write, monkeypatch, error):
    """Of a value it is one of the plan, with its exit code."""

    def prepared(experiment, *arguments, **more):
        config = experiment.config
        if config.training.batch_size == 100 and config.dataset.test_size in refused:
            raise error
        return prepare(experiment, *arguments, **more)

    monkeypatch.setattr(variants, "prepare", prepared)
    words = ("dataset.test_size=0.1,0.2", "training.batch_size=20,100")
    refused = {0.2}
    done = run_inline(sweep(plan(write("iris"), *words)))
    assert (3, 1) == (done.trained, done.failed)
    assert done.failures[0].reason.endswith("iris.yaml: no such thing")
    refused = {0.1}
    with pytest.raises(ConfigError, match="no such thing") as caught:
        plan(write("iris"), *words)
    assert error.exit_code == caught.value.exit_code
