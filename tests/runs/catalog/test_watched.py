"""Runs in progress, found by looking again and again."""

from __future__ import annotations

from nnrun.runs.catalog import watched as module
from nnrun.runs.catalog.watched import WatchedRuns
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.replicate import Replicate
from nnrun.training.trainer import Progress


def state(look):
    """What a look found, by seed."""
    found = {run.run_id.partition("-")[0]: run.status for run in look.running}
    found |= {run.run_id.partition("-")[0]: f"now {run.status}" for run, _ in look.ended}
    return found | {run.run_id.partition("-")[0]: "gone" for run in look.gone}


def test_runs_from_their_lease_to_their_end(prepared, store):
    """One waits, runs, and is completed; one leaves nothing; complete ones are not looked at."""
    for seed in range(3):
        train(prepared(None, f"seed={seed}"), store)
    watched = WatchedRuns(store.root)
    assert {} == state(watched.look())
    runs = [prepared(None, f"seed={seed}") for seed in (8, 9)]
    first, second = (begin(store, "tiny", run.run_id) for run in runs)
    about = Replicate(8), runs[0].config_dict, "ab" * 32
    first.note(None, lambda: about)
    assert {"s8": "queued", "s9": "running"} == state(watched.look())
    first.note(Progress(0, 200, None, 0.0), lambda: about)
    second.release()
    assert {"s8": "running", "s9": "gone"} == state(watched.look())
    with first:
        first.conclude(train(runs[0], None).result)
    look = watched.look()
    assert {"s8": "now completed"} == state(look)
    assert runs[0].run_id == look.ended[0][1].run_id
    assert {} == state(watched.look())


def test_runs_shorter_than_the_time_between_looks_are_counted(prepared, store):
    """A run that begins and ends between two looks has ended; what was there before has not."""
    train(prepared(None, "seed=1"), store)
    watched = WatchedRuns(store.root)
    assert {} == state(watched.look())
    (store.root / "tiny" / "s3-0123456789").mkdir()
    train(prepared(None, "seed=2"), store)
    assert {"s2": "now completed"} == state(watched.look())
    assert {} == state(watched.look())


def test_a_run_that_goes_on_is_found_among_many(prepared, store, monkeypatch):
    """Each look asks a part of the runs that were not in progress, in turn."""
    monkeypatch.setattr(module, "_OTHERS", 2)
    for seed in range(5):
        (store.root / "tiny" / f"s{seed}-0123456789").mkdir(parents=True)
        (store.root / "tiny" / f"s{seed}-0123456789" / "checkpoint.safetensors").touch()
    watched = WatchedRuns(store.root, ["tiny"])
    assert {} == state(watched.look())
    with begin(store, "tiny", "s3-0123456789"):
        assert "s3" in {key for _ in range(3) for key in state(watched.look())}
