"""A run that was begun under other numerics cannot be continued, and is not said to be."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from nnrun import NUMERICS_VERSION
from nnrun.reports.terminal.runs import runs_table
from nnrun.runs.catalog.index import look
from nnrun.runs.events import Listener
from nnrun.runs.lease import begin
from nnrun.runs.lifecycle import train
from nnrun.runs.record import Replicate
from nnrun.runs.storage.reading import list_runs
from nnrun.training.trainer import Progress
from tests.lab import invoke

WHY = "has other numerics, and cannot continue what another has begun; train anew, and remove the"


def killed(run, store):
    """A run whose process has gone after its first second."""
    lease = begin(store, "tiny", run.run_id)
    lease.note(Progress(0, 200, None, 0.0), lambda: (Replicate(2), run.config_dict, "ab" * 32))
    lease._folder._lock.close()


def interrupted(run, store):
    """A run that was stopped by Ctrl-C."""
    train(run, store, Listener(stop=lambda: True))


def test_nothing_is_said_of_runs_that_have_not_begun_or_ended_early(prepared, store, monkeypatch):
    """Those that waited in a sweep are no runs yet; a search has no use for what it ended."""
    lease = begin(store, "tiny", prepared().run_id)
    lease.note(None, lambda: (Replicate(3), prepared().config_dict, "ab" * 32))
    lease._folder._lock.close()
    monkeypatch.setattr("nnrun.runs.storage.reading.NUMERICS_VERSION", NUMERICS_VERSION + 1)
    assert [] == [*list_runs(store.root)]
    interrupted(prepared(None, "seed=2"), store)
    (run,) = look(store.root)
    for early in (frozenset(), frozenset({(run.name, run.run_id)})):
        console = Console(file=StringIO(), width=200)
        console.print(runs_table([run], 1, {}, searched=({}, early)))
        assert (WHY in console.file.getvalue()) == (not early)


@pytest.mark.parametrize("numerics", [NUMERICS_VERSION, NUMERICS_VERSION + 1])
@pytest.mark.parametrize("ended", [killed, interrupted])
def test_lists_and_show_say_so(prepared, store, monkeypatch, ended, numerics):
    """Whether its process was killed or ended by itself; nothing is said of a run that goes on."""
    ended(prepared(None, "seed=2"), store)
    monkeypatch.setattr("nnrun.runs.storage.reading.NUMERICS_VERSION", numerics, raising=False)
    for command in (["ls"], ["show", "tiny"]):
        done = invoke(*command, "--results", str(store.root))
        shown = " ".join(done.out.split())
        assert "interrupted" in shown
        assert (numerics != NUMERICS_VERSION) == (WHY in shown)
